/**
 * The MNIST table: trains every configuration in `configs/` with three seeds, then evaluates each network once on
 * the test set, unpacked and packed, and writes `results.json` and the table in `README.md`.
 *
 *   node experiments/mnist/run.mjs --data mnist:DIR [--out DIR] [--jobs 2] [--only float,twn] [--no-test]
 *
 * Runs are kept in --out (default ./runs/mnist) and continue where they were interrupted.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const here = import.meta.dirname
const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: 'mnist' },
    out: { type: 'string', default: 'runs/mnist' },
    seeds: { type: 'string', default: '1,2,3' },
    jobs: { type: 'string', default: '2' },
    only: { type: 'string' },
    'no-test': { type: 'boolean', default: false },
  },
})

/** By name; parents first. */
const configs = readdirSync(join(here, 'configs'))
  .map(file => ({
    name: file.replace('.json', ''),
    ...JSON.parse(readFileSync(join(here, 'configs', file), 'utf8')),
  }))
  .filter(({ name }) => options.only === undefined || options.only.split(',').includes(name))
  .sort((a, b) => (a.from === undefined ? 0 : 1) - (b.from === undefined ? 0 : 1))

const seeds = options.seeds.split(',').map(Number)
const jobs = seeds.flatMap(seed =>
  configs.map(config => ({ config, seed, directory: runDirectory(config.name, seed) })),
)

function runDirectory(name, seed) {
  return join(options.out, `${name}-${seed}`)
}

function isDone(directory) {
  return existsSync(join(directory, 'summary.json'))
}

/** One `sterna train` process; its progress goes to our stderr, a line an epoch. */
function train({ config, seed, directory }) {
  const parent = config.from === undefined ? [] : ['--from', runDirectory(config.from, seed)]
  const args = existsSync(join(directory, 'config.json'))
    ? ['--resume', directory]
    : [
        '--data',
        options.data,
        '--config',
        join(here, 'configs', `${config.name}.json`),
        '--seed',
        `${seed}`,
        ...parent,
        '--out',
        directory,
      ]
  const program = join(here, '..', '..', 'packages', 'sterna', 'bin', 'sterna.js')
  console.error(`${config.name}-${seed}: sterna train ${args.join(' ')}`)
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, 'train', ...args, '--threads', '1', '--quiet'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    child.on('exit', code =>
      code === 0 ? resolve() : reject(new Error(`${config.name}-${seed}: exit code ${code}`)),
    )
  })
}

/** Runs jobs, parents before their children, `--jobs` at a time. */
async function trainAll() {
  const waiting = jobs.filter(job => !isDone(job.directory))
  const running = new Set()
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.findIndex(
      ({ config, seed }) => config.from === undefined || isDone(runDirectory(config.from, seed)),
    )
    if (next !== -1 && running.size < Number(options.jobs)) {
      const job = train(waiting.splice(next, 1)[0]).finally(() => running.delete(job))
      running.add(job)
    } else if (running.size > 0) await Promise.race(running)
    else throw new Error(`no parent for ${waiting.map(job => job.directory).join(', ')}`)
  }
}

await trainAll()
if (!options['no-test']) {
  const { writeResults } = await import('./results.mjs')
  await writeResults(jobs, { data: options.data, here })
}
