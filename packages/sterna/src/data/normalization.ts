/** Pixel normalisation: x = (pixel/255 − mean) / std per channel, its named presets and its text form. */
import { SternaError } from '../core/index.ts'

/** Mean and standard deviation of pixel/255, one value per channel or one for all channels. */
export interface Normalization {
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

/** The scale of written values: '1' for fractions of full brightness, '255' for pixel values. */
export type PixelUnit = '1' | '255'

function over255(mean: readonly number[], std: readonly number[]): Normalization {
  return { mean: mean.map(value => value / 255), std: std.map(value => value / 255) }
}

/** The usual constants; each is what published weights of that family were trained with. */
export const normalizationPresets = {
  mnist: { mean: [0.1307], std: [0.3081] },
  cifar10: { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] },
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  /** The CIFAR constants of the EC2T code. */
  ec2t: over255([125.3, 123, 113.9], [63, 62.1, 66.7]),
  /** Pixels on [0, 1]. */
  unit: { mean: [0], std: [1] },
  /** Pixels on [−1, 1]. */
  signed: { mean: [0.5], std: [0.5] },
} as const satisfies Record<string, Normalization>

export type NormalizationPreset = keyof typeof normalizationPresets

/**
 * A normalisation from text: a preset's name, or means and deviations as `MEANS/STDS`, each a comma list
 * whose unit is given by `@1` or `@255` at its end, or by `unit`. For example `cifar10`,
 * `0.1307@1/0.3081@1`, or `125.3,123,113.9/63,62.1,66.7` with unit '255'.
 */
export function parseNormalization(text: string, unit?: PixelUnit): Normalization {
  const name = text.trim()
  if (Object.hasOwn(normalizationPresets, name)) return normalizationPresets[name as NormalizationPreset]
  const parts = name.split('/')
  if (parts.length !== 2) {
    throw new SternaError(
      'usage/option',
      `normalisation "${text}": expected a preset or MEANS/STDS, found ${parts.length === 1 ? 'an unknown name' : `${parts.length} parts`}`,
      { hint: `presets: ${Object.keys(normalizationPresets).join(', ')}; or e.g. 0.1307/0.3081@1` },
    )
  }
  // A unit written once, at the end, holds for both lists.
  const trailing = /@(1|255)\s*$/.exec(parts[1]!)?.[1] as PixelUnit | undefined
  return checkNormalization({
    mean: parseChannelValues(parts[0]!, unit ?? trailing),
    std: parseChannelValues(parts[1]!, unit),
  })
}

/**
 * The value of a `--mean` or `--std` option as fractions of full brightness: a comma list with its unit
 * written as `@1` or `@255`, or given by `unit`. Without a unit it is an error, for 0.5 and 125 are easily
 * confused.
 */
export function parseChannelValues(text: string, unit?: PixelUnit): number[] {
  const [list = '', written, ...rest] = text.split('@').map(part => part.trim())
  const scale = written ?? unit
  if (rest.length > 0 || (scale !== '1' && scale !== '255')) {
    throw new SternaError(
      'usage/option',
      `"${text}": expected a unit of 1 or 255, found ${scale === undefined ? 'none' : `"${[scale, ...rest].join('@')}"`}`,
      { hint: 'write the unit after the values: 0.4914,0.4822,0.4465@1 or 125.3,123,113.9@255' },
    )
  }
  return list.split(',').map(item => {
    const value = item.trim() === '' ? Number.NaN : Number(item)
    const limit = Number(scale)
    if (!Number.isFinite(value) || Math.abs(value) > limit) {
      throw new SternaError(
        'usage/option',
        `"${text}": expected numbers within ±${limit}, found "${item.trim()}"`,
        {
          hint: scale === '1' ? 'pixel values on the 0–255 scale end in @255' : 'give one number per channel',
        },
      )
    }
    return value / limit
  })
}

/** A base normalisation with its means or deviations replaced by the text of `--mean` and `--std`. */
export function overrideNormalization(
  base: Normalization,
  override: {
    readonly mean?: string | undefined
    readonly std?: string | undefined
    readonly unit?: PixelUnit
  },
): Normalization {
  return checkNormalization({
    mean: override.mean === undefined ? base.mean : parseChannelValues(override.mean, override.unit),
    std: override.std === undefined ? base.std : parseChannelValues(override.std, override.unit),
  })
}

function checkNormalization(normalization: Normalization): Normalization {
  for (const value of normalization.std) {
    if (!(value > 0)) {
      throw new SternaError('usage/option', `normalisation: every deviation must be above 0, found ${value}`)
    }
  }
  return normalization
}

/**
 * The normalised value of every pixel value, [channels · 256]. Rounded to float32 after each operation, as
 * torchvision's ToTensor and Normalize do, so that published weights see exactly the inputs they know.
 */
export function normalizationTable(normalization: Normalization, channels: number): Float32Array {
  const mean = spread(normalization.mean, channels, 'mean')
  const std = spread(normalization.std, channels, 'std')
  checkNormalization(normalization)
  const table = new Float32Array(channels * 256)
  for (let channel = 0; channel < channels; channel++) {
    for (let pixel = 0; pixel < 256; pixel++) {
      const centred = Math.fround(Math.fround(pixel / 255) - Math.fround(mean[channel]!))
      table[channel * 256 + pixel] = centred / Math.fround(std[channel]!)
    }
  }
  return table
}

function spread(values: readonly number[], channels: number, what: string): readonly number[] {
  if (values.length === channels) return values
  if (values.length === 1) return new Array<number>(channels).fill(values[0]!)
  throw new SternaError(
    'usage/option',
    `normalisation: expected 1 or ${channels} values of ${what} for ${channels}-channel images, found ${values.length}`,
  )
}
