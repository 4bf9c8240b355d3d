/** From the real magnitudes, bias and ranges of a ternary filter to the 16-bit numbers its kernel works with. */
import type { ActivationRange } from '../../file/types.ts'

/**
 * What turns one filter's two sums of bytes into a byte. With `first` and `second` the sums of the bytes under the
 * weights of one sign each, all arithmetic saturating in 16 bits and mulr(a, b) = (a·b + 2^14) >> 15:
 *
 *     sum = (mulr(first, ratio) + second) << doublings
 *     v   = mulr(sum, multiplier) + offset [+ mulr((residual − its zero) << 7, residualMultiplier)]
 *     q   = clamp(v >> shift)
 *
 * A filter with more weights than a sum has room for is summed in parts; v then has mulr(sum, multiplier) of each.
 */
export interface FilterRequantization {
  /** Whether the first sum is that of the weights +1. */
  readonly plusFirst: boolean
  /** −2^15 × the smaller magnitude / the larger. */
  readonly ratio: number
  /** 2^(15 + shift − doublings) × the larger magnitude (negative where it is that of −1) × input scale / output scale. */
  readonly multiplier: number
  /** How often the sum is doubled before: 0 unless the product of magnitude and scales is 1 or more. */
  readonly doublings: number
  /** 2^shift × (bias / output scale + output zero, less what the input's zero adds to the sums) and half for rounding. */
  readonly offset: number
  /** 2^(8 + shift) × residual scale / output scale; 0 without a residual. */
  readonly residualMultiplier: number
  /** Fraction bits of v, 0 to 7: as many as the numbers above leave room for. */
  readonly shift: number
  /** How many sums v has. Part p takes weights p · maxCount to (p + 1) · maxCount − 1 of each sign, in their order. */
  readonly parts: number
}

/** So many bytes of a range can be summed without leaving 16 bits. */
export const maxCount = (range: ActivationRange): number => Math.floor(maxSum / range.max)

/** Sums, multipliers and offsets are signed 16-bit numbers. */
export const maxSum = 0x7fff
const maxShift = 7
const mostDoublings = 7

export interface FilterNumbers {
  /** How many weights of each sign the filter has. */
  readonly plus: number
  readonly minus: number
  /** Real magnitudes of +1 and −1, ≥ 0. */
  readonly positive: number
  readonly negative: number
  readonly bias: number
}

/**
 * @returns undefined where the numbers do not fit 16 bits: too large a factor between the scales for so many weights, or
 *   too large a bias
 */
export function requantizeFilter(
  { positive, negative, bias, plus, minus }: FilterNumbers,
  input: ActivationRange,
  output: ActivationRange,
  residual: ActivationRange | undefined,
): FilterRequantization | undefined {
  const plusFirst = positive < negative
  const [small, large] = plusFirst ? [positive, negative] : [negative, positive]
  const [first, second] = plusFirst ? [plus, minus] : [minus, plus]
  const smallerPart = large === 0 ? 0 : small / large
  const factor = ((plusFirst ? -large : large) * input.scale) / output.scale
  const zeroPart = factor * input.zero * (second - smallerPart * first)
  const constant = bias / output.scale + output.zero - zeroPart
  const residualFactor = residual === undefined ? 0 : residual.scale / output.scale
  const parts = Math.max(1, Math.ceil(Math.max(plus, minus) / maxCount(input)))
  const largestSum = Math.max(smallerPart * first, second) * input.max
  // A single sum is at most 16 bits and stays so; what several add up to is bounded by the counts.
  const largestTotal = parts === 1 ? 0 : Math.abs(factor) * largestSum
  let doublings = 0
  while ((Math.abs(factor) * 0x8000) / (1 << doublings) > maxSum + 0.5 && doublings < mostDoublings)
    doublings++
  if (doublings > 0 && (parts > 1 || (largestSum + 1) * (1 << doublings) > maxSum)) return undefined
  const halved = factor / (1 << doublings)
  const most = Math.max(
    Math.abs(halved) * 0x8000,
    Math.abs(constant + 0.5),
    residualFactor * 0x100,
    largestTotal,
  )
  let shift = maxShift
  // Rounding takes off half at most: with so many bits the numbers do not fit.
  while (shift >= 0 && most * (1 << shift) > maxSum + 0.5) shift--
  for (; shift >= 0; shift--) {
    const one = 1 << shift
    const multiplier = Math.round(halved * 0x8000 * one)
    const offset = Math.round(constant * one + one / 2)
    const residualMultiplier = Math.round(residualFactor * 0x100 * one)
    const total = largestTotal * one + parts
    if (Math.max(Math.abs(multiplier), Math.abs(offset), residualMultiplier, total) <= maxSum) {
      const ratio = -Math.round(smallerPart * 0x8000)
      return { plusFirst, ratio, multiplier, doublings, offset, residualMultiplier, shift, parts }
    }
  }
  return undefined
}
