/** Chooses how a tensor lies in the file: which storage, which magnitudes. */
import type { DenseTensor, MagnitudeFactors, TernaryTensor } from 'sterna-runtime'
import { applyFactors, halfToFloat } from 'sterna-runtime/format'
import type { Shape, Tensor } from '../core/index.ts'
import { f32ToF16Bits } from '../formats/index.ts'

const largestHalf = 65504

/** The two levels of a ternary layer, before what batch norm multiplied its filters with. */
export interface Levels {
  /** One number, or one per filter; likewise `negative`. */
  readonly positive: ArrayLike<number>
  readonly negative: ArrayLike<number>
  /** Per filter, with sign; absent: nothing was folded in. */
  readonly scale?: ArrayLike<number>
}

/** A ternary tensor from the signs of `weight`, which holds levels × scale. */
export function storeTernary(weight: Tensor<'f32'>, levels: Levels): TernaryTensor {
  const { shape } = weight
  const assignment = new Int8Array(weight.data.length)
  for (let index = 0; index < assignment.length; index++) assignment[index] = Math.sign(weight.data[index]!)
  const factors = factorsOf(levels)
  if (factors !== undefined) return { kind: 'ternary', shape, assignment, ...applyFactors(factors) }
  const [positive, negative] = [Float32Array.from(levels.positive), Float32Array.from(levels.negative)]
  const { scale } = levels
  if (scale === undefined) return { kind: 'ternary', shape, assignment, positive, negative }
  const scaled = (one: Float32Array, other: Float32Array) =>
    one.map((value, filter) => Math.abs(scale[filter]!) * (scale[filter]! < 0 ? other[filter]! : value))
  return {
    kind: 'ternary',
    shape,
    assignment,
    positive: scaled(positive, negative),
    negative: scaled(negative, positive),
  }
}

/** Two numbers for the tensor and one per filter, where that says it all; rounded to 16 bits. */
function factorsOf({ positive, negative, scale }: Levels): MagnitudeFactors | undefined {
  if (positive.length === 1) {
    return scale === undefined ? undefined : balanced(positive[0]!, negative[0]!, Array.from(scale))
  }
  const symmetric = Array.from(positive).every((value, filter) => value === negative[filter])
  if (!symmetric) return undefined
  return balanced(
    1,
    1,
    Array.from(positive, (value, filter) => value * (scale?.[filter] ?? 1)),
  )
}

/**
 * The factors in 16 bits that come closest to level × scale in every filter. Only the products count, so a
 * common factor may move between levels and scales: of all binary16 numbers for the larger level, those are
 * looked at closely that leave the ratio of the levels almost exact, as an error there is shared by all filters.
 */
export function balanced(positive: number, negative: number, scale: readonly number[]): MagnitudeFactors {
  const larger = Math.max(positive, negative)
  const ratio = larger === 0 ? 0 : Math.min(positive, negative) / larger
  const power = largerLevelPower(larger, scale)
  const candidates = Array.from({ length: 1024 }, (_, step) => {
    const level = power * (1 + step / 1024)
    const other = half(ratio * level)
    return { level, other, error: ratio === 0 ? step : Math.abs(other / (ratio * level) - 1) }
  })
  candidates.sort((a, b) => a.error - b.error)
  let best: MagnitudeFactors | undefined
  let leastError = Number.POSITIVE_INFINITY
  for (const { level, other } of candidates.slice(0, 32)) {
    const rounded = Float32Array.from(scale, s => half((s * larger) / level))
    const error = scale.reduce((sum, s, filter) => {
      if (s === 0 || larger === 0) return sum
      const one = (rounded[filter]! * level) / (s * larger) - 1
      const two = ratio === 0 ? 0 : (rounded[filter]! * other) / (s * larger * ratio) - 1
      return sum + one * one + two * two
    }, 0)
    if (best !== undefined && !(error < leastError)) continue
    leastError = error
    const [p, n] = positive >= negative ? [level, other] : [other, level]
    best = { positive: larger === 0 ? 0 : p, negative: larger === 0 ? 0 : n, scale: rounded }
  }
  return best!
}

/** The power of two that the larger level is stored at: scales come to lie around 1 unless it would leave 2⁻⁸ … 2¹⁴. */
function largerLevelPower(larger: number, scale: readonly number[]): number {
  const product = larger * scale.reduce((most, s) => Math.max(most, Math.abs(s)), 0)
  return product === 0 ? 1 : 2 ** Math.max(-8, Math.min(14, Math.floor(Math.log2(product))))
}

/** Layer weights as the caller wishes; whatever else a node reads in 16 bits where it fits, scalars in 32. */
export function storeDense(tensor: Tensor<'f32'>, wish: 'f16' | 'i8'): DenseTensor {
  const { shape, data } = tensor
  if (wish === 'i8') {
    const stored = storeInt8(shape, data)
    if (stored !== undefined) return stored
  }
  if (shape.length > 0 && data.every(value => Math.abs(value) <= largestHalf)) {
    return { kind: 'dense', shape, storage: 'f16', data: data.map(half) }
  }
  return { kind: 'dense', shape, storage: 'f32', data }
}

/** Symmetric 8-bit codes with one scale per filter; the scale is rounded up so that no code is beyond 127. */
function storeInt8(shape: Shape, data: Float32Array): DenseTensor | undefined {
  const filters = shape[0] ?? 1
  const perFilter = data.length / filters
  const scale = Float32Array.from({ length: filters }, (_, filter) => {
    const largest = data
      .subarray(filter * perFilter, (filter + 1) * perFilter)
      .reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    return halfAbove(largest / 127)
  })
  if (!scale.every(Number.isFinite)) return undefined
  const codes = new Int8Array(data.length)
  const rounded = new Float32Array(data.length)
  for (let index = 0; index < data.length; index++) {
    const step = scale[Math.floor(index / perFilter)]!
    codes[index] = step === 0 ? 0 : Math.round(data[index]! / step)
    rounded[index] = codes[index]! * step
  }
  return { kind: 'dense', shape, storage: 'i8', data: rounded, codes, scale }
}

function half(value: number): number {
  return halfToFloat(f32ToF16Bits(value))
}

/** The smallest binary16 that is not below `value` ≥ 0. */
function halfAbove(value: number): number {
  const bits = f32ToF16Bits(value)
  return halfToFloat(bits) < value ? halfToFloat(bits + 1) : halfToFloat(bits)
}
