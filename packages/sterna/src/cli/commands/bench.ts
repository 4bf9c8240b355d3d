/** `sterna bench train` and `sterna bench infer`. */
import { availableParallelism, cpus } from 'node:os'
import type { Command } from 'commander'
import { createEngine } from '../../engine/index.node.ts'
import { formatPercent, textTable } from '../../report/index.ts'
import { createQuantizer, methods } from '../../ternary/index.ts'
import type { OptimiserConfig } from '../../train/index.ts'
import { prepareInference, randomPacked } from '../bench/inference.ts'
import { type PairedTimes, timePairs } from '../bench/pairs.ts'
import { prepareStep } from '../bench/training-step.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { loadPackedSource } from '../load-model.ts'
import { fraction, oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { describeEngine } from '../predictors.ts'
import { optimisers } from '../train-options.ts'
import { versions } from '../versions.ts'
import { benchCodecCommand } from './bench-codec.ts'

export function benchCommand(): Command {
  const group = createCommand('bench [what]', {
    summary: 'time training steps and inference on this machine',
    description:
      'Time training steps and inference on this machine; without a name, both with their defaults.',
    examples: ['bench', 'bench train', 'bench infer digits.sterna'],
  })
  group.addCommand(trainCommand())
  group.addCommand(inferCommand())
  group.addCommand(benchCodecCommand())
  return defineAction<object>(group, async (output, _options, what) => {
    // Known names have gone to their own commands.
    if (what !== undefined) oneOf('bench', ['train', 'infer', 'codec'])(what)
    const train = await benchTrain(output, trainDefaults)
    const infer = await benchInfer(output, inferDefaults)
    output.result({ train: train.value, infer: infer.value }, `${train.text}\n\n${infer.text}`)
  })
}

/** What a benchmark found, for programs and for people. */
interface BenchReport {
  readonly value: object
  readonly text: string
}

interface BenchTrainOptions extends EngineChoice {
  readonly model: string
  readonly batchSize: number
  readonly pairs: number
}

const trainDefaults = { model: 'lenet5', batchSize: 50, pairs: 21 } as const

function trainCommand(): Command {
  const command = createCommand('train', {
    summary: 'time a training step of each method against the float step',
    description:
      'Time a training step of each method against the float step with the same optimiser, in turns in one ' +
      'process. Ratios are medians over the pairs; close other programs first.',
    examples: ['bench train', 'bench train --model resnet20 --batch-size 128 --pairs 9'],
  })
    .option('--model <name>', 'network', trainDefaults.model)
    .option(
      '--batch-size <n>',
      'images of a step',
      wholeNumber('--batch-size', 2, 65_536),
      trainDefaults.batchSize,
    )
    .option(
      '--pairs <n>',
      'how many times each is timed',
      wholeNumber('--pairs', 1, 10_000),
      trainDefaults.pairs,
    )
  addEngineOptions(command)
  return defineAction<BenchTrainOptions>(command, async (output, options) => {
    const { value, text } = await benchTrain(output, options)
    output.result(value, text)
  })
}

async function benchTrain(output: Output, options: BenchTrainOptions): Promise<BenchReport> {
  const { model, batchSize, pairs } = options
  const engine = await createEngine(options)
  try {
    const results: (PairedTimes & { readonly optimiser: OptimiserConfig['kind'] })[] = []
    for (const kind of ['sgd', 'adam'] as const) {
      const contestants = []
      for (const method of ['float', ...methodsTrainedBy(kind)]) {
        output.progress(`building the ${method} step`)
        const run = await prepareStep(engine, { model, method, optimiser: optimisers[kind], batchSize })
        contestants.push({ name: method, run })
      }
      const times = await timePairs(contestants, {
        rounds: pairs,
        repeats: 5,
        onRound: round => output.progress(`${kind}: pair ${round + 1} of ${pairs}`),
      })
      results.push(...times.map(time => ({ ...time, optimiser: kind })))
    }
    const command = `sterna bench train --model ${model} --batch-size ${batchSize} --pairs ${pairs} --threads ${engine.threads}`
    const rows = results.map(({ name, optimiser, ratio, medianMs }) => [
      `${name}, ${optimiser}`,
      ...ratioCells(name === 'float' ? undefined : ratio),
      medianMs.toFixed(2),
    ])
    return {
      value: {
        command,
        machine: describeMachine(),
        engine: describeEngine(engine),
        model,
        batchSize,
        pairs,
        results,
      },
      text: [
        textTable(
          [
            { title: 'training step', align: 'left' },
            { title: 'over float', align: 'right' },
            { title: 'min – max', align: 'right' },
            { title: 'ms/step', align: 'right' },
          ],
          rows,
        ),
        '',
        `${model}, batch ${batchSize}, medians of ${pairs} pairs; ${describeEngine(engine)}; ${describeMachine()}`,
        command,
      ].join('\n'),
    }
  } finally {
    await engine.close()
  }
}

/** The methods whose authors train with this optimiser (SGD where they say nothing). */
function methodsTrainedBy(kind: OptimiserConfig['kind']): readonly string[] {
  return methods
    .map(method => createQuantizer(method.name))
    .flatMap(quantizer =>
      quantizer !== undefined && (quantizer.optimiser?.optimiser ?? 'sgd') === kind ? [quantizer.method] : [],
    )
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

function ratioCells(ratio: PairedTimes['ratio'] | undefined): readonly [string, string] {
  if (ratio === undefined) return ['1', '']
  return [`${ratio.median.toFixed(2)}×`, `${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)}`]
}

function describeMachine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.versions.node}`
}
