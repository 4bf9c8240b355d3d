/** --calibrate: gives a packed file ranges for integer arithmetic and says what that costs in accuracy. */
import type { Command } from 'commander'
import type { PackedModel } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'
import { openDataset } from '../data/index.node.ts'
import { type Dataset, type DatasetSplit, sampleImages, splitDataset } from '../data/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { calibrate, type RangeChoice, rangeChoices } from '../pack/index.ts'
import { formatCount, formatPercent } from '../report/index.ts'
import { type EvaluationSet, evaluate } from '../train/index.ts'
import { expectImages } from './expect-images.ts'
import type { FloatSource } from './load-model.ts'
import { chooseNormalization, type NormalizationOptions } from './normalization-options.ts'
import { oneOf, wholeNumber } from './option-values.ts'
import type { Output } from './output.ts'
import { openRuntime } from './predictors.ts'

export interface CalibrationOptions {
  readonly calibrate?: string
  readonly calibrationImages?: number
  readonly calibration?: RangeChoice
  readonly activationLevels?: number
}

/** Accuracies are fractions. */
export interface CalibrationReport {
  readonly images: number
  readonly choice: RangeChoice
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

const defaults = { images: 512, choice: 'mse', levels: 127 } as const
/** More than this many points lost are worth a fine-tune. */
const acceptedLossPoints = 0.2
const batchSize = 64
const mostChecked = 5000

export function addCalibrationOptions(command: Command): Command {
  return command
    .option(
      '--calibrate <spec>',
      'give the file ranges of activations, for integer arithmetic, from training images of mnist:DIR, cifar10:DIR or glyphs',
    )
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
    .option(
      '--activation-levels <n>',
      `the largest byte of an activation, 1 to 255; what sums of more would overflow gets less (default: ${defaults.levels})`,
      wholeNumber('--activation-levels', 1, 255),
    )
}

/** Options that are of no use without --calibrate are refused. */
export function expectCalibration(options: CalibrationOptions): void {
  if (options.calibrate !== undefined) return
  for (const [option, name] of [
    ['calibrationImages', 'calibration-images'],
    ['calibration', 'calibration'],
    ['activationLevels', 'activation-levels'],
  ] as const) {
    if (options[option] === undefined) continue
    throw new SternaError('usage/option', `--${name}: belongs to --calibrate`, {
      hint: 'add --calibrate with the data the network was trained on',
    })
  }
}

/** Training images, split as the run did where the network is of one, and how they are normalised. */
interface CalibrationData {
  readonly dataset: Dataset
  readonly split: DatasetSplit
  readonly heldOut: boolean
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
  return { dataset, split, heldOut, set: { imageShape: dataset.imageShape, normalization } }
}

/** @param packed what the reader makes of the file; the ranges are for its names */
export async function findRanges(
  output: Output,
  packed: PackedModel,
  { split, set }: CalibrationData,
  options: CalibrationOptions,
): Promise<NonNullable<PackedModel['activations']>> {
  const { choice, levels, images } = chosen(options)
  output.progress(`calibrating with ${formatCount(images)} images`)
  const engine = await createEngine()
  try {
    const sample = sampleImages(split.train, images, 0)
    const ranges = await calibrate(packed, engine, { ...set, images: sample }, { choice, levels, batchSize })
    if (ranges.size > 0) return ranges
  } finally {
    await engine.close()
  }
  throw new SternaError('usage/option', '--calibrate: no layer of this network can work on bytes', {
    hint: 'integer arithmetic is for ternary layers: ternarize the network first, or leave out --calibrate',
  })
}

/** Runs the network in both arithmetics on training images that calibration did not see. */
export async function checkCalibration(
  output: Output,
  packed: PackedModel,
  { split, set, heldOut }: CalibrationData,
  options: CalibrationOptions,
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
  const { images: wanted, ...choice } = chosen(options)
  return {
    ...choice,
    images: Math.min(wanted, split.train.count),
    values: packed.activations!.size,
    checked: { samples: images.count, heldOut, f32, int, lostPoints: 100 * (f32 - int) },
  }
}

function chosen({ calibrationImages, calibration, activationLevels }: CalibrationOptions) {
  return {
    images: calibrationImages ?? defaults.images,
    choice: calibration ?? defaults.choice,
    levels: activationLevels ?? defaults.levels,
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
    `${values} values as bytes up to ${levels} (${choice}, ${formatCount(images)} training images)`,
    `accuracy ${formatPercent(int)} in integers, ${formatPercent(f32)} in f32: ${lostPoints.toFixed(2)} points lost on ${formatCount(samples)} ${which}`,
  ]
  if (lostPoints <= acceptedLossPoints) return lines
  return [
    ...lines,
    `more than ${acceptedLossPoints} points: try --activation-levels 255, or another --calibration`,
  ]
}
