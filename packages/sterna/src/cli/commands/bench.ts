/** `sterna bench` and `sterna bench infer`. */
import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { formatPercent, textTable } from '../../report/index.ts'
import { prepareInference, randomPacked } from '../bench/inference.ts'
import { timePairs } from '../bench/pairs.ts'
import { type BenchReport, describeMachine, ratioCells } from '../bench/report.ts'
import { createCommand, defineAction } from '../command.ts'
import { loadPackedSource } from '../load-model.ts'
import { fraction, oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { versions } from '../versions.ts'
import { benchCodecCommand } from './bench-codec.ts'
import { benchEpochCommand } from './bench-epoch.ts'
import { benchMethods, benchMethodsCommand, methodsDefaults } from './bench-methods.ts'
import { benchTrainCommand } from './bench-train.ts'

export function benchCommand(): Command {
  const group = createCommand('bench [what]', {
    summary: 'time training steps and inference on this machine',
    description:
      'Time training steps and inference on this machine; without a name, `methods` and `infer` with their defaults.',
    examples: ['bench', 'bench train', 'bench methods', 'bench infer digits.sterna'],
  })
  group.addCommand(benchTrainCommand())
  group.addCommand(benchMethodsCommand())
  group.addCommand(benchEpochCommand())
  group.addCommand(inferCommand())
  group.addCommand(benchCodecCommand())
  return defineAction<object>(group, async (output, _options, what) => {
    // Known names have gone to their own commands.
    if (what !== undefined) oneOf('bench', ['train', 'methods', 'epoch', 'infer', 'codec'])(what)
    const steps = await benchMethods(output, methodsDefaults)
    const infer = await benchInfer(output, inferDefaults)
    output.result({ methods: steps.value, infer: infer.value }, `${steps.text}\n\n${infer.text}`)
  })
}

interface BenchInferOptions {
  readonly network: string
  readonly zeros: number
  readonly pairs: number
}

const inferDefaults = { network: 'lenet5', zeros: 0.9, pairs: 51 } as const

function inferCommand(): Command {
  const command = createCommand('infer [file]', {
    summary: 'time a packed network against ONNX Runtime in float32',
    description:
      'Time one image through a packed network in sterna-runtime (one thread) against the same network as ' +
      'float32 in ONNX Runtime, in turns in one process. FILE is a .sterna file; without it a network of the zoo ' +
      'with random ternary weights is timed.',
    examples: ['bench infer', 'bench infer digits.sterna', 'bench infer --network resnet20 --zeros 0.64'],
  })
    .option('--network <name>', 'network to make up where no file is given', inferDefaults.network)
    .option(
      '--zeros <fraction>',
      'share of zeros of the made-up ternary layers',
      fraction('--zeros'),
      inferDefaults.zeros,
    )
    .option(
      '--pairs <n>',
      'how many times each is timed',
      wholeNumber('--pairs', 1, 10_000),
      inferDefaults.pairs,
    )
  return defineAction<BenchInferOptions>(command, async (output, options, file) => {
    const { value, text } = await benchInfer(output, options, file)
    output.result(value, text)
  })
}

async function benchInfer(output: Output, options: BenchInferOptions, file?: string): Promise<BenchReport> {
  const { network, zeros, pairs } = options
  const packed =
    file === undefined ? randomPacked(network, zeros) : loadPackedSource(file, 'bench infer').packed
  output.progress('loading')
  const { contestants, difference } = await prepareInference(packed, [
    ...new Set([1, availableParallelism()]),
  ])
  const results = await timePairs(contestants, {
    rounds: pairs,
    repeats: 20,
    onRound: round => output.progress(`pair ${round + 1} of ${pairs}`),
  })
  const what = file ?? `${network}, ${formatPercent(zeros, 0)} zeros in its ternary layers`
  const command = `sterna bench infer ${file ?? `--network ${network} --zeros ${zeros}`} --pairs ${pairs}`
  const rows = results.map(({ name, ratio, medianMs }, index) => [
    name,
    ...ratioCells(index === 0 ? undefined : ratio),
    medianMs.toFixed(3),
  ])
  return {
    value: { command, machine: describeMachine(), network: what, pairs, difference, results },
    text: [
      textTable(
        [
          { title: 'one image', align: 'left' },
          { title: 'over sterna', align: 'right' },
          { title: 'min – max', align: 'right' },
          { title: 'ms', align: 'right' },
        ],
        rows,
      ),
      '',
      `${what}; medians of ${pairs} pairs of 20 runs; outputs differ by ${difference.toExponential(1)} (relative)`,
      `sterna-runtime ${versions.runtime}, onnxruntime-node ${versions.onnxruntime}; ${describeMachine()}`,
      command,
    ].join('\n'),
  }
}
