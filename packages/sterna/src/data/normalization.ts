/** Pixel normalisation: x = (pixel/255 − mean) / std per channel, its named presets and how options change it. */
import { SternaError } from '../core/index.ts'

/** Mean and standard deviation of pixel/255, one value per channel or one for all channels. */
export interface Normalization {
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

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

/**
 * The value of a `--mean` or `--std` option as fractions of full brightness: a comma list with its unit
 * written as `@1` (fractions of full brightness) or `@255` (pixel values). Without a unit it is an error, for
 * 0.5 and 125 are easily confused.
 */
export function parseChannelValues(text: string): number[] {
  const [list = '', scale, ...rest] = text.split('@').map(part => part.trim())
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
  },
): Normalization {
  return checkNormalization({
    mean: override.mean === undefined ? base.mean : parseChannelValues(override.mean),
    std: override.std === undefined ? base.std : parseChannelValues(override.std),
  })
}

function checkNormalization(normalization: Normalization): Normalization {
  for (const value of normalization.std) {
    if (!(value > 0)) {
      throw new SternaError(
        'usage/option',
        `normalisation: every deviation must be above 0, found ${value}`,
        {
          hint: 'a deviation of 1 leaves the scale as it is',
        },
      )
    }
  }
  return normalization
}

/**
 * The normalised value of every pixel value, [channels · 256]. Rounded to float32 after each operation, as
 * torchvision's ToTensor and Normalize do, so that published weights see exactly the inputs they know.
 */
export function normalizationTable(normalization: Normalization, channels: number): Float32Array {
  const { mean, std } = spreadNormalization(checkNormalization(normalization), channels)
  const table = new Float32Array(channels * 256)
  for (let channel = 0; channel < channels; channel++) {
    for (let pixel = 0; pixel < 256; pixel++) {
      const centred = Math.fround(Math.fround(pixel / 255) - Math.fround(mean[channel]!))
      table[channel * 256 + pixel] = centred / Math.fround(std[channel]!)
    }
  }
  return table
}

/** One mean and one deviation for each channel; 'usage/option' where there are neither one nor as many. */
export function spreadNormalization({ mean, std }: Normalization, channels: number): Normalization {
  return { mean: spread(mean, channels, 'mean'), std: spread(std, channels, 'std') }
}

function spread(values: readonly number[], channels: number, what: string): readonly number[] {
  if (values.length === channels) return values
  if (values.length === 1) return new Array<number>(channels).fill(values[0]!)
  throw new SternaError(
    'usage/option',
    `normalisation: expected ${channels === 1 ? 'one value' : `1 or ${channels} values`} for the ${what} of ${channels}-channel images, found ${values.length}`,
  )
}
