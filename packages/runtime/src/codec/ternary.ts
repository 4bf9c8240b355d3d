/** Codecs for ternary tensors: the magnitudes, then which weights are not zero, then their signs. */
import type { ByteReader } from '../byte-reader.ts'
import type { MagnitudeFactors, TernaryTensor } from '../tensors.ts'
import { ListSink, listedTensor } from '../ternary-lists.ts'
import type { TensorShape, WeightCodec } from './codec.ts'
import { halves } from './dense.ts'

/** One bit a weight says whether it is zero; one more for each that is not says its sign. */
export const maskSignCodec: WeightCodec = {
  id: 4,
  name: 'mask-sign',
  minimumBytes: shape => magnitudeBytes(shape, 'tensor') + Math.ceil(shape.elements / 8),
  decode(reader, shape, { listed } = {}) {
    const [magnitudes] = readMagnitudes(reader, shape, readLayout(reader))
    const mask = reader.take(Math.ceil(shape.elements / 8))
    expectClearPadding(reader, mask, shape.elements)
    let nonZeros = 0
    for (const byte of mask) nonZeros += bitCount(byte)
    const signs = reader.take(Math.ceil(nonZeros / 8))
    expectClearPadding(reader, signs, nonZeros)
    const target = createTarget(shape, magnitudes, listed)
    let index = 0
    let next = 0
    fillTarget(target, shape.elements, () => {
      const place = index++
      return bitAt(mask, place) === 0 ? 0 : 1 - 2 * bitAt(signs, next++)
    })
    return ternaryTensor(shape, target, magnitudes)
  },
}

/** For tensors without zeros: one bit a weight, its sign. */
export const signCodec: WeightCodec = {
  id: 5,
  name: 'sign',
  minimumBytes: shape => magnitudeBytes(shape, 'tensor') + Math.ceil(shape.elements / 8),
  decode(reader, shape, { listed } = {}) {
    const [magnitudes] = readMagnitudes(reader, shape, readLayout(reader))
    const signs = reader.take(Math.ceil(shape.elements / 8))
    expectClearPadding(reader, signs, shape.elements)
    const target = createTarget(shape, magnitudes, listed)
    let index = 0
    fillTarget(target, shape.elements, () => 1 - 2 * bitAt(signs, index++))
    return ternaryTensor(shape, target, magnitudes)
  },
}

/** The first byte of a ternary payload, by its value: how the magnitudes follow. */
export const magnitudeLayouts = ['tensor', 'filter', 'scaled'] as const
export type MagnitudeLayout = (typeof magnitudeLayouts)[number]

/** Bytes of the layout byte and the magnitudes. */
export function magnitudeBytes(shape: TensorShape, layout: MagnitudeLayout): number {
  switch (layout) {
    case 'tensor':
      return 5
    case 'filter':
      return 1 + 4 * shape.filters
    case 'scaled':
      return 5 + 2 * shape.filters
    default:
      return layout satisfies never
  }
}

export interface Magnitudes {
  readonly positive: Float32Array
  readonly negative: Float32Array
  readonly factors?: MagnitudeFactors
}

function readLayout(reader: ByteReader): MagnitudeLayout {
  const start = reader.offset
  const layout = magnitudeLayouts[reader.u8()]
  if (layout === undefined) {
    throw reader.failure(
      'file/unsupported',
      `expected a magnitude layout below ${magnitudeLayouts.length}`,
      start,
    )
  }
  return layout
}

/**
 * The magnitudes of each of `terms` that add up to the tensor, which share the scales of the layout. `decode` gives
 * so many binary16 numbers; by default they lie in the payload as they are.
 */
export function readMagnitudes(
  reader: ByteReader,
  shape: TensorShape,
  layout: MagnitudeLayout,
  decode?: (count: number) => Uint16Array,
  terms = 1,
): readonly [Magnitudes, ...Magnitudes[]] {
  const start = reader.offset
  const count = layout === 'filter' ? shape.filters : 1
  const bits = decode?.(2 * terms * count + (layout === 'scaled' ? shape.filters : 0))
  let taken = 0
  const nextBits = bits && (() => bits[taken++]!)
  const next = (): Magnitudes => {
    const positive = halves(reader, count, nextBits)
    const negative = halves(reader, count, nextBits)
    if (positive.some(value => value < 0) || negative.some(value => value < 0)) {
      throw reader.failure('file/damaged', 'expected magnitudes ≥ 0', start)
    }
    return { positive, negative }
  }
  const first = next()
  const others = Array.from({ length: terms - 1 }, next)
  if (layout !== 'scaled') return [first, ...others]
  const scale = halves(reader, shape.filters, nextBits)
  const scaled = ({ positive, negative }: Magnitudes) =>
    applyFactors({ positive: positive[0]!, negative: negative[0]!, scale })
  return [scaled(first), ...others.map(scaled)]
}

/** The magnitudes per filter that the stored factors stand for; products of two binary16 are exact in binary32. */
export function applyFactors(factors: MagnitudeFactors): Magnitudes & { readonly factors: MagnitudeFactors } {
  const { positive, negative, scale } = factors
  return {
    positive: scale.map(s => Math.abs(s) * (s < 0 ? negative : positive)),
    negative: scale.map(s => Math.abs(s) * (s < 0 ? positive : negative)),
    factors,
  }
}

/** Turns the signs of the filters whose scale is negative; its own inverse. In place. */
export function turnSigns(assignment: Int8Array, scale: Float32Array): Int8Array {
  const perFilter = assignment.length / scale.length
  scale.forEach((s, filter) => {
    if (s >= 0) return
    for (let index = filter * perFilter; index < (filter + 1) * perFilter; index++) {
      assignment[index] = -assignment[index]!
    }
  })
  return assignment
}

/** What a decoder fills: the assignment as it lies in the file, or the lists of the tensor. */
export type TernaryTarget = Int8Array | ListSink

export function createTarget(
  { elements, filters }: TensorShape,
  { factors }: Magnitudes,
  listed = false,
): TernaryTarget {
  return listed
    ? new ListSink(elements, filters, filter => factors !== undefined && factors.scale[filter]! < 0)
    : new Int8Array(elements)
}

/** Fills a target with what `next` gives. */
export function fillTarget(target: TernaryTarget, elements: number, next: () => number): void {
  const piece = target instanceof ListSink ? new Int8Array(Math.min(elements, 4096)) : target
  for (let start = 0; start < elements; start += piece.length) {
    const count = Math.min(piece.length, elements - start)
    for (let index = 0; index < count; index++) piece[index] = next()
    if (target instanceof ListSink) target.take(start, piece, 0, count)
  }
}

/** The tensor of a target that is filled; an assignment is changed in place. */
export function ternaryTensor(
  shape: TensorShape,
  target: TernaryTarget,
  magnitudes: Magnitudes,
): TernaryTensor {
  if (target instanceof ListSink) return listedTensor(shape.dims, target.finish(), magnitudes)
  if (magnitudes.factors !== undefined) turnSigns(target, magnitudes.factors.scale)
  return { kind: 'ternary', shape: shape.dims, assignment: target, ...magnitudes }
}

function expectClearPadding(reader: ByteReader, bits: Uint8Array, used: number): void {
  const rest = used & 7
  if (rest !== 0 && bits[bits.length - 1]! >> rest !== 0) {
    throw reader.failure('file/damaged', 'expected the unused bits of the last byte to be 0')
  }
}

function bitAt(bits: Uint8Array, index: number): number {
  return (bits[index >> 3]! >> (index & 7)) & 1
}

function bitCount(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++
  return count
}
