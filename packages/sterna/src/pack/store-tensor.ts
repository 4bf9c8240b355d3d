/** Chooses how a tensor lies in the file: which storage, which magnitudes. */
import type { DenseTensor, MagnitudeFactors, TernaryTensor } from 'sterna-runtime'
import { applyFactors } from 'sterna-runtime/format'
import type { Shape, Tensor } from '../core/index.ts'
import { f16BitsToF32, f32ToF16Bits } from '../formats/index.ts'

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
  const assignment = Int8Array.from(weight.data, Math.sign)
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
 * Moves a power of two between the levels and the scales so that both keep all the digits of binary16: the
 * largest scale comes to lie in [1, 2), unless the levels would leave 2⁻⁸ … 2¹⁴ by that.
 */
function balanced(positive: number, negative: number, scale: readonly number[]): MagnitudeFactors {
  const largestScale = scale.reduce((most, s) => Math.max(most, Math.abs(s)), 0)
  const largestLevel = Math.max(positive, negative)
  const wanted = largestScale === 0 ? 0 : Math.floor(Math.log2(largestScale))
  const level = largestLevel === 0 ? 0 : Math.floor(Math.log2(largestLevel))
  const power = 2 ** (Math.max(-8, Math.min(14, level + wanted)) - level)
  return {
    positive: half(positive * power),
    negative: half(negative * power),
    scale: Float32Array.from(scale, s => half(s / power)),
  }
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
  const codes = Int8Array.from(data, (value, index) => {
    const step = scale[Math.floor(index / perFilter)]!
    return step === 0 ? 0 : Math.round(value / step)
  })
  const rounded = Float32Array.from(codes, (code, index) => code * scale[Math.floor(index / perFilter)]!)
  return { kind: 'dense', shape, storage: 'i8', data: rounded, codes, scale }
}

function half(value: number): number {
  return f16BitsToF32(f32ToF16Bits(value))
}

/** The smallest binary16 that is not below `value` ≥ 0. */
function halfAbove(value: number): number {
  const bits = f32ToF16Bits(value)
  return f16BitsToF32(bits) < value ? f16BitsToF32(bits + 1) : f16BitsToF32(bits)
}
