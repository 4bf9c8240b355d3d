/** `sterna bench train`: training steps against PyTorch's. */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { SternaError } from '../../core/index.ts'
import type { Fallback } from '../../engine/index.ts'
import { formatSize, textTable } from '../../report/index.ts'
import { type PairedTimes, timePairs } from '../bench/pairs.ts'
import { describeMachine, ratioCells, warnIfBusy } from '../bench/report.ts'
import { StepProcess } from '../bench/step-process.node.ts'
import type { StepWork } from '../bench/step-protocol.ts'
import { findTorch, startTorch, type TorchSearch } from '../bench/torch.node.ts'
import { restingRate } from '../bench/training-step.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { describeFallbacks } from '../predictors.ts'

/** `comparedSteps`: steps with a true learning rate, whose losses must agree before anything is timed. */
const workloads = {
  resnet20: { model: 'resnet20', method: 'float', batchSize: 128, comparedSteps: 20 },
  'resnet20-ec2t': { model: 'resnet20', method: 'ec2t', batchSize: 128, comparedSteps: 3 },
  vgg7: { model: 'vgg7', method: 'float', batchSize: 96, comparedSteps: 5 },
  lenet5: { model: 'lenet5', method: 'float', batchSize: 50, comparedSteps: 20 },
  resnet18: { model: 'resnet18', method: 'float', batchSize: 16, comparedSteps: 3 },
} as const satisfies Record<string, StepWork & { readonly comparedSteps: number }>

type WorkloadName = keyof typeof workloads
const workloadNames = Object.keys(workloads) as WorkloadName[]

const comparedRate = 0.01
const comparedTolerance = 0.01
/** Below, PyTorch multiplies matrices with a library that uses no vectors. */
const slowGflops = 20
/** Short steps are repeated up to this time, so that starting the clock does not count. */
const turnMs = 200
const maxRepeats = 20

interface BenchTrainOptions extends EngineChoice {
  readonly only?: readonly WorkloadName[]
  readonly pairs: number
  readonly python?: string
}

export function benchTrainCommand(): Command {
  const command = createCommand('train', {
    summary: "time training steps against PyTorch's",
    description:
      'Time training steps against those of PyTorch on the CPU: the same network, weights, batch, loss and ' +
      'optimiser (SGD with momentum and weight decay) in two processes with the same number of threads, in turns. ' +
      'EC2T is compared with the float step of PyTorch. Where there is no PyTorch, only our own times are ' +
      'printed. Ratios are medians over the pairs; close other programs first.',
    examples: [
      'bench train',
      'bench train --only resnet20,vgg7 --threads 2',
      'bench train --python venv/bin/python',
    ],
  })
    .option('--only <names>', `some of ${workloadNames.join(', ')}`, text =>
      text.split(',').map(oneOf('--only', workloadNames)),
    )
    .option('--pairs <n>', 'how many times each is timed', wholeNumber('--pairs', 1, 1000), 9)
    .option('--python <path>', 'interpreter that imports torch (default: python3, /usr/bin/python3)')
  addEngineOptions(command)
  return defineAction<BenchTrainOptions>(command, benchTrain)
}

interface Side {
  /** Median milliseconds of a step. */
  readonly stepMs: number
  readonly peakMemoryBytes: number
}

interface WorkloadResult extends StepWork {
  readonly name: WorkloadName
  /** Our time over PyTorch's in the same pair. */
  readonly ratio: PairedTimes['ratio'] | null
  readonly ours: Side & {
    readonly engine: string
    readonly loweringReason: string
    /** What the lowering leaves to the standard operators. */
    readonly fallbacks: readonly Fallback[]
  }
  readonly torch: (Side & { readonly matrixProductGflops: number }) | null
  /** Largest relative difference of the losses of `steps` steps from the same start; null where there is no peer. */
  readonly losses: { readonly steps: number; readonly difference: number } | null
}

async function benchTrain(output: Output, options: BenchTrainOptions): Promise<void> {
  const { only = workloadNames, pairs, python: asked, spin, threads = availableParallelism() } = options
  const choice = { device: options.device ?? 'auto', lowering: options.lowering ?? 'auto' } as const
  warnIfBusy(output)
  const torch = await findTorch(asked)
  if (torch.python === undefined) output.note(`no PyTorch, so no ratios: ${torch.reason}`)
  const results: WorkloadResult[] = []
  for (const name of only)
    results.push(
      await benchWorkload(output, name, torch, { pairs, threads, ...choice, ...(spin && { spin }) }),
    )
  if (results.some(({ torch: side }) => side !== null && side.matrixProductGflops < slowGflops)) {
    output.warn(
      `PyTorch's matrix product is slow: it seems to run on a reference library, and the ratios flatter us (Debian: apt-get install libopenblas0-openmp)`,
    )
  }
  const command = [
    'sterna bench train',
    ...(options.only === undefined ? [] : [`--only ${only.join(',')}`]),
    `--pairs ${pairs} --threads ${threads}`,
    ...Object.entries(choice).flatMap(([name, value]) => (value === 'auto' ? [] : [`--${name} ${value}`])),
    ...(spin ? ['--spin'] : []),
  ].join(' ')
  output.result(
    {
      command,
      machine: describeMachine(),
      torch: torch.python === undefined ? null : torch.version,
      threads,
      pairs,
      workloads: results,
    },
    [
      table(results, torch),
      '',
      ...new Set(results.map(({ ours }) => `${ours.engine}: ${ours.loweringReason}`)),
      ...results.flatMap(({ name, ours }) =>
        describeFallbacks(ours.fallbacks).map(line => `${name}: ${line}`),
      ),
      torchLine(torch, results),
      ...results.flatMap(lossLine),
      `medians of ${pairs} pairs, ${threads} ${threads === 1 ? 'thread' : 'threads'}; ${describeMachine()}`,
      command,
    ].join('\n'),
  )
}

/** One network on both sides, each in a fresh process, so that its peak memory is that of this work alone. */
async function benchWorkload(
  output: Output,
  name: WorkloadName,
  torch: TorchSearch,
  { pairs, threads, ...engine }: EngineChoice & { readonly pairs: number; readonly threads: number },
): Promise<WorkloadResult> {
  const { comparedSteps, ...work } = workloads[name]
  const processes: StepProcess[] = []
  try {
    output.progress(`${name}: building`)
    const ours = new StepProcess('our training process', process.execPath, [
      fileURLToPath(new URL('../bench/step-server.node.js', import.meta.url)),
    ])
    processes.push(ours)
    const {
      description,
      loweringReason = '',
      fallbacks = [],
    } = await ours.call('build', { ...work, threads, ...engine })
    const started = torch.python === undefined ? undefined : await startTorch(torch.python, work, threads)
    const theirs = started?.process
    if (theirs !== undefined) processes.push(theirs)

    output.progress(`${name}: first steps`)
    const request = { steps: comparedSteps, learningRate: comparedRate }
    const startedMs = performance.now()
    const found = await ours.call('run', request)
    const expected = await theirs?.call('run', request)
    const repeats = repeatsFor((performance.now() - startedMs) / comparedSteps / processes.length)
    const difference =
      expected && work.method === 'float' ? compare(name, found.losses, expected.losses) : undefined

    const run = (side: StepProcess) => () => side.call('run', { steps: repeats, learningRate: restingRate })
    const times = await timePairs(
      [
        ...(theirs === undefined ? [] : [{ name: 'PyTorch', run: run(theirs) }]),
        { name: 'ours', run: run(ours) },
      ],
      {
        rounds: pairs,
        repeats: 1,
        onRound: round => output.progress(`${name}: pair ${round + 1} of ${pairs}`),
      },
    )
    const side = async (times: PairedTimes, of: StepProcess): Promise<Side> => ({
      stepMs: times.medianMs / repeats,
      ...(await of.call('memory', {})),
    })
    return {
      name,
      ...work,
      ratio: theirs === undefined ? null : times.at(-1)!.ratio,
      ours: { ...(await side(times.at(-1)!, ours)), engine: description, loweringReason, fallbacks },
      torch:
        started === undefined
          ? null
          : {
              ...(await side(times[0]!, started.process)),
              matrixProductGflops: started.matrixProductGflops,
            },
      losses: difference === undefined ? null : { steps: comparedSteps, difference },
    }
  } finally {
    for (const process of processes) await process.close()
  }
}

function repeatsFor(stepMs: number): number {
  return Math.max(1, Math.min(maxRepeats, Math.round(turnMs / stepMs)))
}

/** Largest relative difference; an error where it is too large for one and the same network. */
function compare(name: WorkloadName, found: readonly number[], expected: readonly number[]): number {
  const difference = Math.max(
    ...found.map((loss, i) => Math.abs(loss - expected[i]!) / Math.abs(expected[i]!)),
  )
  if (difference <= comparedTolerance) return difference
  throw new SternaError(
    'engine/failed',
    `bench train, ${name}: PyTorch's losses are ${expected.join(', ')}, ours ${found.join(', ')}`,
    { hint: 'the two do not train the same network, so their times say nothing' },
  )
}

function table(results: readonly WorkloadResult[], torch: TorchSearch): string {
  const hasTorch = torch.python !== undefined
  return textTable(
    [
      { title: 'training step', align: 'left' },
      ...(hasTorch
        ? ([
            { title: 'over PyTorch', align: 'right' },
            { title: 'min – max', align: 'right' },
          ] as const)
        : []),
      { title: 'ms', align: 'right' },
      ...(hasTorch ? [{ title: 'PyTorch ms', align: 'right' } as const] : []),
      { title: 'peak memory', align: 'right' },
      ...(hasTorch ? [{ title: "PyTorch's", align: 'right' } as const] : []),
    ],
    results.map(({ model, method, batchSize, ratio, ours, torch: theirs }) => [
      `${model}, ${method}, batch ${batchSize}`,
      ...(ratio === null ? [] : ratioCells(ratio)),
      ours.stepMs.toFixed(1),
      ...(theirs === null ? [] : [theirs.stepMs.toFixed(1)]),
      formatSize(ours.peakMemoryBytes),
      ...(theirs === null ? [] : [formatSize(theirs.peakMemoryBytes)]),
    ]),
  )
}

function torchLine(torch: TorchSearch, results: readonly WorkloadResult[]): string {
  if (torch.python === undefined) return `PyTorch: not found (${torch.reason})`
  const gflops = Math.max(...results.map(({ torch: side }) => side?.matrixProductGflops ?? 0))
  return `PyTorch ${torch.version}, 1024³ matrix product at ${gflops.toFixed(0)} GFLOPS`
}

function lossLine({ name, losses }: WorkloadResult): readonly string[] {
  if (losses === null) return []
  return [
    `${name}: losses of ${losses.steps} steps differ by ${losses.difference.toExponential(1)} (relative)`,
  ]
}
