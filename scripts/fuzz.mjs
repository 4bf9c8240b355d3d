/**
 * `node scripts/fuzz.mjs [--minutes N] [--seed N] [--out DIR] [FILE …]`: loads and runs hostile `.sterna` files in a
 * worker with limits of time and memory. A finding (an exception that is no refusal, a crash, a hang, too much
 * memory, kernels that disagree) is made small and saved in DIR. With FILEs only those are judged. The same seed
 * gives the same files. Ends with code 1 where there are findings.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { ensure } from './ensure.mjs'

const { values, positionals } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'fuzz-findings' },
  },
  allowPositionals: true,
})
ensure()
const { hostileFiles } = await import('./fuzz/cases.mjs')
const { createJury } = await import('./fuzz/jury.mjs')
const { minimise } = await import('./fuzz/minimise.mjs')

const endMs = performance.now() + Number(values.minutes) * 60_000
const counts = new Map()
const found = new Map()
const jury = createJury()
let reportedMs = performance.now()

for (const { index, bytes } of positionals.length > 0 ? givenFiles() : hostileFiles(Number(values.seed))) {
  if (performance.now() > endMs) break
  const verdict = await jury.judge(bytes)
  const outcome = verdict.code ?? verdict.kind ?? verdict.outcome
  counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  if (verdict.outcome === 'finding') await keep(bytes, verdict, index)
  if (performance.now() - reportedMs < 30_000) continue
  reportedMs = performance.now()
  console.log(summary())
}
await jury.close()
console.log(summary())
for (const [, { file, kind, message, times }] of found)
  console.log(`\n${kind}, ${times} times, ${file}\n  ${message.split('\n').slice(0, 4).join('\n  ')}`)
process.exitCode = found.size > 0 ? 1 : 0

/** One of each sort of finding is saved. */
async function keep(bytes, { kind, message }, index) {
  const sort = `${kind} ${sortOf(message)}`
  const known = found.get(sort)
  if (known !== undefined) {
    known.times++
    return
  }
  found.set(sort, { kind, message, times: 1, file: undefined })
  const small = await minimise(bytes, async smaller => {
    const verdict = await jury.judge(smaller)
    return verdict.kind === kind && sortOf(verdict.message) === sortOf(message)
  })
  const name = `${values.seed}-${index}-${kind}.sterna`
  mkdirSync(values.out, { recursive: true })
  writeFileSync(path.join(values.out, name), small)
  found.get(sort).file = path.join(values.out, name)
  console.log(`${kind}: ${name}, ${small.length} bytes\n  ${message.split('\n').slice(0, 3).join('\n  ')}`)
}

/** Messages of one sort differ in numbers and names; where they were thrown is the same. */
function sortOf(message) {
  const [first, ...stack] = message.split('\n')
  return `${first.replaceAll(/"[^"]*"|-?\d[\d.e+-]*|NaN|Infinity|v\d+/g, '#')} ${stack[0] ?? ''}`
}

function* givenFiles() {
  for (const [index, file] of positionals.entries())
    yield { index, bytes: new Uint8Array(readFileSync(file)) }
}

function summary() {
  const total = [...counts.values()].reduce((a, b) => a + b, 0)
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([outcome, count]) => `${count} ${outcome}`)
  return `seed ${values.seed}: ${total} files: ${parts.join(', ')}`
}
