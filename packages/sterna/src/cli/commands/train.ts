/** `sterna train`. */
import { statSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { peakMemoryBytes } from '../../core/index.node.ts'
import { SternaError } from '../../core/index.ts'
import { openDataset } from '../../data/index.node.ts'
import type { Dataset } from '../../data/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import type { Engine, Fallback } from '../../engine/index.ts'
import type { Model } from '../../graph/index.ts'
import { zooEntry } from '../../models/index.ts'
import { formatBytes, formatCount, formatDuration, formatPercent, formatSize } from '../../report/index.ts'
import { describeValues, methods } from '../../ternary/index.ts'
import { type RunSummary, readRunConfig, resumeRun, trainRun } from '../../train/index.node.ts'
import type { TrainConfig, TrainEvent } from '../../train/index.ts'
import { addRangeOptions, type RangeOptions } from '../calibration.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { expectImages } from '../expect-images.ts'
import { chooseStart, expectTernaryParent, keepTernaryLayers, withRanges } from '../fine-tune.ts'
import { interruptible } from '../interruption.ts'
import { type FloatSource, loadModelSource } from '../load-model.ts'
import type { Output } from '../output.ts'
import { engineFacts, noteEngine } from '../predictors.ts'
import { addTrainOptions, buildConfig, readBase, type TrainFlags } from '../train-options.ts'
import { showTraining } from '../train-progress.ts'

interface TrainCommandOptions extends TrainFlags, EngineChoice, RangeOptions {
  readonly out?: string
  readonly from?: string
  readonly resume?: string
}

export function trainCommand(): Command {
  const command = createCommand('train', {
    summary: 'train a network, float or ternary, into a run directory',
    description:
      'Train a network into a run directory, which then holds all that repeats it. Ctrl-C leaves a checkpoint; ' +
      'train --resume DIR continues from it and ends with the same bytes as an unbroken run.',
    examples: [
      'train --model lenet5 --data mnist:data --method float --out runs/float',
      'train --data mnist:data --method ec2t --option entropyWeight=0.2 --from runs/float --out runs/ec2t',
      'train --method fixed --activation-levels 127 --epochs 2 --from runs/ec2t --out runs/ec2t-int',
      'train --resume runs/ec2t',
    ],
  })
    .option('--out <dir>', 'the run directory to write; must not hold a run yet')
    .option('--from <path>', 'start from this run or weights file instead of fresh weights')
    .option(
      '--resume <dir>',
      'continue the run in this directory; of the options below only --data, --device, --threads, --lowering and --spin go with it',
    )
  addRangeOptions(
    addTrainOptions(command),
    'train a ternary parent with activations as bytes up to this, 1 to 255 (default: as numbers)',
  )
  addEngineOptions(command).addHelpText('after', `\n${methodHelp()}`)
  return defineAction<TrainCommandOptions>(command, (output, options) =>
    options.resume === undefined ? startRun(output, options) : continueRun(output, options, options.resume),
  )
}

async function startRun(output: Output, options: TrainCommandOptions): Promise<void> {
  const { out } = options
  if (out === undefined)
    throw new SternaError('usage/option', 'train needs --out, the run directory to write')
  const parent = options.from === undefined ? undefined : loadParent(options.from, options.model)
  const base = readBase(options, parent?.config)
  const entry = zooEntry(base.model)
  const dataset = await openDataset(base.data)
  expectImages(entry.imageShape, dataset, base.model)
  const config = keepTernaryLayers(buildConfig(options, base, parent, dataset), parent)
  warnOfLeak(output, config.seed, parent)
  const model = chooseStart(config, parent) ?? entry.create(dataset.classes.length, config.seed)
  expectClasses(model, dataset, options.from)
  expectTernaryParent(options, config, options.from)
  await train(output, options, { directory: out, dataset, select: config.select }, async common =>
    trainRun({
      ...common,
      config:
        parent === undefined
          ? config
          : await withRanges(output, options, config, parent, dataset, common.engine),
      ...(options.from !== undefined && { from: options.from }),
      model,
    }),
  )
}

async function continueRun(output: Output, options: TrainCommandOptions, directory: string): Promise<void> {
  const allowed = new Set(['resume', 'data', 'device', 'threads', 'lowering', 'spin', 'json', 'quiet'])
  const strange = Object.keys(options).find(name => !allowed.has(name))
  if (strange !== undefined) {
    const flag = `--${strange.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    throw new SternaError(
      'usage/option',
      `${flag} does not go with --resume: the run's config.json decides`,
      {
        hint: 'to change it, start a new run with --from',
      },
    )
  }
  const { config, lowering: written = 'standard' } = readRunConfig(directory)
  const dataset = await openDataset(options.data ?? config.data)
  // As the run was begun, so that it ends with the same bits; where the fast one is missing, 'auto' says why.
  const lowering = options.lowering ?? (written === 'fast' ? 'auto' : written)
  await train(output, { ...options, lowering }, { directory, dataset, select: config.select }, resumeRun)
}

/** What a run needs beside its settings. */
interface RunSurroundings {
  readonly directory: string
  readonly dataset: Dataset
  readonly engine: Engine
  readonly onEvent: (event: TrainEvent) => void
  readonly signal: AbortSignal
}

/** Opens the engine, trains, and says what came of it. */
async function train(
  output: Output,
  options: EngineChoice,
  {
    directory,
    dataset,
    select,
  }: Pick<RunSurroundings, 'directory' | 'dataset'> & Pick<TrainConfig, 'select'>,
  run: (surroundings: RunSurroundings) => Promise<RunSummary | 'stopped'>,
): Promise<void> {
  const startedMs = performance.now()
  const engine = await createEngine(options)
  try {
    noteEngine(output, engine)
    output.note(`data    ${dataset.name}, ${formatCount(dataset.train.count)} training images`)
    let fallbacks: readonly Fallback[] = []
    const show = showTraining(output, { select })
    const onEvent = (event: TrainEvent) => {
      if (event.kind === 'phase') ({ fallbacks } = event)
      show(event)
    }
    const summary = await interruptible(signal => run({ directory, dataset, engine, onEvent, signal }))
    if (summary === 'stopped') {
      throw new SternaError('train/interrupted', `stopped; the run so far is in ${directory}`, {
        hint: `continue it with: sterna train --resume ${directory}`,
      })
    }
    const elapsedMs = performance.now() - startedMs
    const cost = { elapsedMs, peakMemoryBytes: peakMemoryBytes() }
    output.result(
      { status: 'done', directory, ...summary, ...cost, engine: { ...engineFacts(engine), fallbacks } },
      describeSummary(directory, summary, cost),
    )
  } finally {
    await engine.close()
  }
}

function describeSummary(
  directory: string,
  summary: RunSummary,
  { elapsedMs, peakMemoryBytes: peakBytes }: { readonly elapsedMs: number; readonly peakMemoryBytes: number },
): string {
  const { validationAccuracy, trainAccuracy, epoch, phase, zeros } = summary.selected
  const accuracy =
    validationAccuracy === undefined
      ? `train accuracy ${formatPercent(trainAccuracy)}`
      : `validation accuracy ${formatPercent(validationAccuracy)}`
  const zeroText = zeros === undefined ? '' : `, ${formatPercent(zeros, 1)} zeros`
  const files = summary.files.map(
    file => `${path.join(directory, file.path)} (${formatBytes(file.sizeBytes)})`,
  )
  return [
    `${summary.model} by ${summary.method}: ${accuracy}${zeroText}, ${phase === 'frozen' ? 'frozen ' : ''}epoch ${epoch}, ${formatDuration(elapsedMs)}, peak memory ${formatSize(peakBytes)}`,
    `wrote ${files.join(', ')}`,
  ].join('\n')
}

/** A run or a weights file; --model names the network of the latter and must agree with the former. */
function loadParent(from: string, model: string | undefined): FloatSource {
  const isRun = statSync(from, { throwIfNoEntry: false })?.isDirectory() ?? false
  const source = loadModelSource(from, isRun ? undefined : model)
  if (source.kind === 'sterna' || source.kind === 'onnx') {
    throw new SternaError('usage/option', `--from ${from}: expected a run directory or a weights file`, {
      hint: 'training needs the float weights a network of the zoo was trained with',
    })
  }
  if (isRun && model !== undefined && model !== source.config?.model) {
    throw new SternaError(
      'usage/option',
      `--from ${from}: that run trained ${source.config?.model}, --model says ${model}`,
    )
  }
  return source
}

function expectClasses(model: Model, dataset: Dataset, from: string | undefined): void {
  const classes = model.graph.values.get(model.graph.outputs[0]!)!.shape.at(-1)
  if (classes === dataset.classes.length) return
  throw new SternaError(
    'usage/option',
    `--from ${from}: the network has ${classes} classes, ${dataset.name} has ${dataset.classes.length}`,
  )
}

/** Another seed holds out other images: some that the parent was trained on. */
function warnOfLeak(output: Output, seed: number, parent: FloatSource | undefined): void {
  const parentSeed = parent?.config?.seed
  if (parentSeed === undefined || parentSeed === seed) return
  output.warn(
    `seed ${seed} holds out other images than the parent run's ${parentSeed}: validation will look better than it is`,
  )
}

/** Every method's options with range, default and effect. */
function methodHelp(): string {
  return methods
    .filter(method => method.options.length > 0)
    .map(method => {
      const rows = method.options.map(
        option =>
          `  ${option.name}=${String(option.default)}  ${describeValues(option)}${option.unit ? ` × ${option.unit}` : ''}\n      ${option.effect}`,
      )
      return `Options of ${method.name} (${method.description}):\n${rows.join('\n')}`
    })
    .join('\n\n')
}
