/** `sterna bench methods`: what a method adds to a training step. */
import type { Command } from 'commander'
import { createEngine } from '../../engine/index.node.ts'
import { textTable } from '../../report/index.ts'
import { createQuantizer, methods } from '../../ternary/index.ts'
import type { OptimiserConfig } from '../../train/index.ts'
import { type PairedTimes, timePairs } from '../bench/pairs.ts'
import { type BenchReport, describeMachine, ratioCells, warnIfBusy } from '../bench/report.ts'
import { prepareStep, restingRate } from '../bench/training-step.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { describeEngine } from '../predictors.ts'
import { optimisers } from '../train-options.ts'

interface BenchMethodsOptions extends EngineChoice {
  readonly model: string
  readonly batchSize: number
  readonly pairs: number
}

export const methodsDefaults = { model: 'lenet5', batchSize: 50, pairs: 21 } as const

export function benchMethodsCommand(): Command {
  const command = createCommand('methods', {
    summary: 'time a training step of each method against the float step',
    description:
      'Time a training step of each method against the float step with the same optimiser, in turns in one ' +
      'process. Ratios are medians over the pairs; close other programs first.',
    examples: ['bench methods', 'bench methods --model resnet20 --batch-size 128 --pairs 9'],
  })
    .option('--model <name>', 'network', methodsDefaults.model)
    .option(
      '--batch-size <n>',
      'images of a step',
      wholeNumber('--batch-size', 2, 65_536),
      methodsDefaults.batchSize,
    )
    .option(
      '--pairs <n>',
      'how many times each is timed',
      wholeNumber('--pairs', 1, 10_000),
      methodsDefaults.pairs,
    )
  addEngineOptions(command)
  return defineAction<BenchMethodsOptions>(command, async (output, options) => {
    const { value, text } = await benchMethods(output, options)
    output.result(value, text)
  })
}

export async function benchMethods(output: Output, options: BenchMethodsOptions): Promise<BenchReport> {
  const { model, batchSize, pairs } = options
  warnIfBusy(output)
  const engine = await createEngine(options)
  try {
    const results: (PairedTimes & { readonly optimiser: OptimiserConfig['kind'] })[] = []
    for (const kind of ['sgd', 'adam'] as const) {
      const contestants = []
      for (const method of ['float', ...methodsTrainedBy(kind)]) {
        output.progress(`building the ${method} step`)
        const { run } = await prepareStep(engine, { model, method, optimiser: optimisers[kind], batchSize })
        contestants.push({ name: method, run: () => run(restingRate) })
      }
      const times = await timePairs(contestants, {
        rounds: pairs,
        repeats: 5,
        onRound: round => output.progress(`${kind}: pair ${round + 1} of ${pairs}`),
      })
      results.push(...times.map(time => ({ ...time, optimiser: kind })))
    }
    const command = `sterna bench methods --model ${model} --batch-size ${batchSize} --pairs ${pairs} --threads ${engine.threads}`
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
