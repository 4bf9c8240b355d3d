/** --calibrate: gives a packed file ranges for integer arithmetic and says what that costs in accuracy. */
import type { Command } from 'commander'
import type { PackedModel } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'
import { openDataset } from '../data/index.node.ts'
import { type DatasetSplit, type ImageView, sampleImages, splitDataset } from '../data/index.ts'
import type { Engine } from '../engine/index.ts'
import type { ActivationRanges } from '../graph/passes/index.ts'
import { calibrate, packModel, type RangeChoice, rangeChoices } from '../pack/index.ts'
import { formatCount, formatPercent } from '../report/index.ts'
import { type EvaluationSet, evaluate, type TrainConfig } from '../train/index.ts'
import { expectImages } from './expect-images.ts'
import type { FloatSource } from './load-model.ts'
import { chooseNormalization, type NormalizationOptions } from './normalization-options.ts'
import { oneOf, wholeNumber } from './option-values.ts'
import type { Output } from './output.ts'
import { openRuntime } from './predictors.ts'

/** How ranges are found. */
export interface RangeOptions {
  readonly calibrationImages?: number
  readonly calibration?: RangeChoice
  readonly activationLevels?: number
}

export interface CalibrationOptions extends RangeOptions {
  readonly calibrate?: string
}

/** Accuracies are fractions. */
export interface CalibrationReport {
  /** 0 and 'trained' where the network was trained with its ranges. */
  readonly images: number
  readonly choice: RangeChoice | 'trained'
  /** The largest byte of any value. */
  readonly levels: number
  readonly values: number
  /** Images of the training set that calibration did not see. */
  readonly checked: {
    readonly samples: number
    /** Whether training did not see them either. */
    readonly heldOut: boolean
    readonly f32: number
    readonly int: number
    readonly lostPoints: number
  }
}

const defaults = { images: 512, choice: 'mse' } as const
/** More than this many points lost are worth a fine-tune. */
const acceptedLossPoints = 0.2
const batchSize = 64
const mostChecked = 5000

export function addCalibrationOptions(command: Command): Command {
  command.option(
    '--calibrate <spec>',
    'give the file ranges of activations, for integer arithmetic, from training images of mnist:DIR, cifar10:DIR or glyphs',
  )
  return addRangeOptions(
    command,
    'the largest byte of an activation, 1 to 255 (default: for each the largest that costs no speed, 63, 127 or 255)',
  )
}

/** @param levels what --activation-levels does */
export function addRangeOptions(command: Command, levels: string): Command {
  return command
    .option(
      '--calibration-images <n>',
      `how many training images to look at (default: ${defaults.images})`,
      wholeNumber('--calibration-images', 1),
    )
    .option(
      '--calibration <choice>',
      `mse (least squared error), percentile (all but 1 in 10,000 numbers inside) or max (default: ${defaults.choice})`,
      oneOf('--calibration', rangeChoices),
    )
    .option('--activation-levels <n>', levels, wholeNumber('--activation-levels', 1, 255))
}

const flags = {
  calibrationImages: '--calibration-images',
  calibration: '--calibration',
  activationLevels: '--activation-levels',
} as const satisfies Record<keyof RangeOptions, string>

/** Refuses these of the options where they are given: they would do nothing. */
export function refuseRangeOptions(
  options: RangeOptions,
  names: readonly (keyof RangeOptions)[],
  reason: string,
  hint: string,
): void {
  const given = names.find(name => options[name] !== undefined)
  if (given !== undefined) throw new SternaError('usage/option', `${flags[given]}: ${reason}`, { hint })
}

export function expectCalibration(options: CalibrationOptions, source: FloatSource): void {
  const names = Object.keys(flags) as (keyof RangeOptions)[]
  if (options.calibrate === undefined) {
    refuseRangeOptions(
      options,
      names,
      'belongs to --calibrate',
      'add --calibrate with the data the network was trained on',
    )
  } else if (source.config?.activations !== undefined) {
    refuseRangeOptions(
      options,
      names,
      `${source.path} was trained with ranges of its own`,
      '--calibrate alone measures what they cost',
    )
  }
}

/** Training images, split as the run did where the network is of one, and how they are normalised. */
export interface CalibrationData {
  readonly split: DatasetSplit
  readonly heldOut: boolean
  /** Whether the network was trained with ranges. */
  readonly isTrained: boolean
  readonly set: Omit<EvaluationSet, 'images'>
}

export async function openCalibrationData(
  source: FloatSource,
  options: CalibrationOptions & NormalizationOptions,
): Promise<CalibrationData> {
  const dataset = await openDataset(options.calibrate!)
  expectImages(source.model.graph.inputs[0]!.shape.slice(1), dataset, source.path)
  const normalization = chooseNormalization(options, source.normalization, dataset)
  const { validation = 0, seed = 0 } = source.config ?? {}
  const heldOut = validation > 0
  const checked = heldOut ? validation : Math.min(mostChecked, Math.floor(dataset.train.count / 5))
  const split = splitDataset(dataset, { validation: checked, seed })
  const isTrained = source.config?.activations !== undefined
  return { split, heldOut, isTrained, set: { imageShape: dataset.imageShape, normalization } }
}

/**
 * Ranges from some of `set`.
 * @param packed what the reader makes of the file; the ranges are for its names
 */
export async function findRanges(
  output: Output,
  packed: PackedModel,
  engine: Engine,
  set: EvaluationSet & { readonly images: ImageView },
  options: RangeOptions,
): Promise<ActivationRanges> {
  const { choice, levels, images } = chosen(options)
  output.progress(`calibrating with ${formatCount(images)} images`)
  const sample = sampleImages(set.images, images, 0)
  const ranges = await calibrate(
    packed,
    engine,
    { ...set, images: sample },
    { choice, batchSize, ...(levels && { levels }) },
  )
  if (ranges.size > 0) return ranges
  throw new SternaError('usage/option', 'integer activations: no layer of this network can work on bytes', {
    hint: 'they are for ternary layers: ternarize the network first',
  })
}

/** The ranges of a ternary network by its own names, to train it with. */
export async function rangesToTrainWith(
  output: Output,
  source: FloatSource,
  engine: Engine,
  set: EvaluationSet & { readonly images: ImageView },
  options: RangeOptions,
): Promise<NonNullable<TrainConfig['activations']>> {
  const { packed, networkNames } = packModel(source.model, source.ternary, { dense: 'f16', metadata: {} })
  const ranges = await findRanges(output, packed, engine, set, options)
  // What folding made anew is not in the network that is trained.
  const { values } = source.model.graph
  const named = [...ranges].map(([name, range]) => [networkNames.get(name)!, range] as const)
  return Object.fromEntries(named.filter(([name]) => values.has(name)))
}

/** Runs the network in both arithmetics on training images that calibration did not see. */
export async function checkCalibration(
  output: Output,
  packed: PackedModel,
  { split, set, heldOut, isTrained }: CalibrationData,
  options: RangeOptions,
): Promise<CalibrationReport> {
  const images = split.validation
  const accuracyOf = async (arithmetic: 'f32' | 'int') => {
    const { predict } = await openRuntime(packed, { engine: 'runtime', arithmetic })
    const onProgress = (done: number) =>
      output.progress(`${arithmetic}: ${formatCount(done)} of ${formatCount(images.count)} images`)
    return (await evaluate(predict, { ...set, images }, { loss: 'cross-entropy', batchSize, onProgress }))
      .accuracy
  }
  const [f32, int] = [await accuracyOf('f32'), await accuracyOf('int')]
  const { images: wanted, choice } = chosen(options)
  const ranges = [...packed.activations!.values()]
  return {
    ...(isTrained
      ? { images: 0, choice: 'trained' }
      : { images: Math.min(wanted, split.train.count), choice }),
    levels: ranges.reduce((most, { max }) => Math.max(most, max), 0),
    values: ranges.length,
    checked: { samples: images.count, heldOut, f32, int, lostPoints: 100 * (f32 - int) },
  }
}

function chosen({ calibrationImages, calibration, activationLevels }: CalibrationOptions) {
  return {
    images: calibrationImages ?? defaults.images,
    choice: calibration ?? defaults.choice,
    ...(activationLevels !== undefined && { levels: activationLevels }),
  }
}

/** Lines for a person. */
export function calibrationLines({
  images,
  choice,
  levels,
  values,
  checked,
}: CalibrationReport): readonly string[] {
  const { samples, heldOut, f32, int, lostPoints } = checked
  const which = heldOut
    ? 'validation images'
    : 'training images that it was not calibrated with but may have been trained on'
  const lines = [
    `${values} values as bytes up to ${levels} (${choice === 'trained' ? 'trained with these ranges' : `${choice}, ${formatCount(images)} training images`})`,
    `accuracy ${formatPercent(int)} in integers, ${formatPercent(f32)} in f32: ${lostPoints.toFixed(2)} points lost on ${formatCount(samples)} ${which}`,
  ]
  if (lostPoints <= acceptedLossPoints) return lines
  return [
    ...lines,
    `more than ${acceptedLossPoints} points: try --activation-levels 255, or fine-tune the network: sterna train --method fixed --activation-levels ${levels} --from …`,
  ]
}
