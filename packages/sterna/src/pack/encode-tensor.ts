/** One tensor → its payload: the encoding half of the runtime's codecs. */
import type { PackedTensor, TermsTensor, TernaryTensor } from 'sterna-runtime'
import {
  applyFactors,
  codedF16Codec,
  codedI8Codec,
  f16Codec,
  f32Codec,
  fastCodec,
  halfToFloat,
  i8Codec,
  type MagnitudeLayout,
  magnitudeLayouts,
  maskSignCodec,
  mostTerms,
  signCodec,
  sumOf,
  type TensorShape,
  turnSigns,
} from 'sterna-runtime/format'
import { SternaError, sameShape, sizeOf } from '../core/index.ts'
import { f32ToF16Bits } from '../formats/index.ts'
import { ByteWriter } from './byte-writer.ts'
import { chooseTuning, naturalTuning } from './choose-tuning.ts'
import {
  type EncodedTensor,
  encodeHalves,
  encodeInt8,
  encodeMax,
  encodeSmall,
  encodeTuned,
  type StoredTernary,
} from './encode-coded.ts'
import { encodeFast } from './encode-fast.ts'
import { entropyBits } from './entropy.ts'

export type { EncodedTensor } from './encode-coded.ts'

/** How small the weights become: `plain` keeps every field at whole bits. */
export type Profile = 'plain' | 'fast' | 'small' | 'max'

/**
 * Sixteen-bit fields are rounded to the nearest; `name` is for errors. Of the codecs that a profile allows the one
 * with the shortest payload is taken, of equal ones the simplest.
 */
export function encodeTensor(tensor: PackedTensor, name: string, profile: Profile): EncodedTensor {
  const candidates =
    tensor.kind === 'ternary' ? ternaryCodings(tensor, name, profile) : denseCodings(tensor, name, profile)
  return candidates.reduce((best, other) => (other.payload.length < best.payload.length ? other : best))
}

function denseCodings(
  tensor: Exclude<PackedTensor, TernaryTensor>,
  name: string,
  profile: Profile,
): readonly EncodedTensor[] {
  const shape = shapeOf(tensor.shape)
  expectLength(tensor.data, shape.elements, name)
  if (!tensor.data.every(Number.isFinite)) {
    throw new SternaError('tensor/invalid', `tensor "${name}": expected finite numbers`)
  }
  const out = new ByteWriter()
  switch (tensor.storage) {
    case 'f32':
      for (const value of tensor.data) out.f32(value)
      return [{ codec: f32Codec, payload: out.finish() }]
    case 'f16': {
      const bits = halfBits(tensor.data, `tensor "${name}"`)
      const plain = { codec: f16Codec, payload: bytesOfHalves(bits) }
      return profile === 'plain'
        ? [plain]
        : [plain, { codec: codedF16Codec, payload: encodeHalves(shape, bits) }]
    }
    case 'i8': {
      const { codes, scale } = tensor
      expectLength(codes, shape.elements, `${name}, codes`)
      expectLength(scale, shape.filters, `${name}, scale`)
      if (codes.includes(-128) || scale.some(value => !(value >= 0))) {
        throw new SternaError(
          'tensor/invalid',
          `tensor "${name}": expected codes from −127 to 127 and scales ≥ 0`,
        )
      }
      const scaleBits = halfBits(scale, `tensor "${name}", scale`)
      out.bytes(bytesOfHalves(scaleBits))
      out.bytes(new Uint8Array(codes.buffer, codes.byteOffset, codes.length))
      const plain = { codec: i8Codec, payload: out.finish() }
      return profile === 'plain'
        ? [plain]
        : [plain, { codec: codedI8Codec, payload: encodeInt8(shape, scaleBits, codes) }]
    }
    case 'terms': {
      const stored = storedTerms(tensor, name)
      const tuning = chooseTuning(stored, false)
      const single = encodeTuned(stored, tuning, false)
      if (profile !== 'max') return [single]
      return [single, encodeTuned(stored, { ...naturalTuning, order: tuning.order }, true)]
    }
    default:
      return tensor satisfies never
  }
}

function ternaryCodings(tensor: TernaryTensor, name: string, profile: Profile): readonly EncodedTensor[] {
  const stored = storedTernary(tensor, name)
  const coded = codedTernary(stored, profile)
  const shortest = Math.min(...coded.map(({ payload }) => payload.length))
  return shortest < plainBytes(stored) ? coded : [encodePlainTernary(stored), ...coded]
}

function codedTernary(stored: StoredTernary, profile: Profile): readonly EncodedTensor[] {
  switch (profile) {
    case 'plain':
      return []
    case 'fast': {
      const payload = encodeFast(stored)
      // What says next to nothing would be beyond the weights a byte may stand for, and `small` is fast on it.
      return payload.length < fastCodec.minimumBytes(stored.shape)
        ? codedTernary(stored, 'small')
        : [{ codec: fastCodec, payload }]
    }
    case 'small':
      return [encodeSmall(stored)]
    case 'max': {
      const mixed = encodeMax(stored)
      // What mixing gains nothing on costs less without it.
      const isMixed = 100 * mixed.payload.length < 99 * (entropyBits(stored.assignment) / 8)
      return isMixed ? [mixed] : [encodeSmall(stored), mixed]
    }
    default:
      return profile satisfies never
  }
}

/** What `encodePlainTernary` comes to. */
function plainBytes({ magnitudes, assignment }: StoredTernary): number {
  let nonZeros = 0
  for (const level of assignment) nonZeros += level & 1
  const mask = nonZeros < assignment.length ? Math.ceil(assignment.length / 8) : 0
  return 1 + 2 * magnitudes.length + mask + Math.ceil(nonZeros / 8)
}

function encodePlainTernary({ layout, magnitudes, assignment }: StoredTernary): EncodedTensor {
  const out = new ByteWriter()
  out.u8(magnitudeLayouts.indexOf(layout))
  out.bytes(bytesOfHalves(magnitudes))
  const codec = assignment.includes(0) ? maskSignCodec : signCodec
  if (codec === maskSignCodec) out.bytes(packBits(assignment, level => level !== 0))
  const signed = codec === maskSignCodec ? assignment.filter(level => level !== 0) : assignment
  out.bytes(packBits(signed, level => level < 0))
  return { codec, payload: out.finish() }
}

/** Checks a tensor and brings it to the numbers that lie in a file. */
export function storedTernary(tensor: TernaryTensor, name: string): StoredTernary {
  const { positive, negative, factors } = tensor
  const shape = shapeOf(tensor.shape)
  expectLength(tensor.assignment, shape.elements, `${name}, assignment`)
  for (const level of tensor.assignment) {
    if (level >= -1 && level <= 1) continue
    throw new SternaError('tensor/invalid', `tensor "${name}": expected an assignment of −1, 0 and +1`)
  }
  const layout: MagnitudeLayout =
    factors !== undefined ? 'scaled' : positive.length === 1 ? 'tensor' : 'filter'
  const expected = layout === 'tensor' ? 1 : shape.filters
  expectLength(positive, expected, `${name}, positive magnitudes`)
  expectLength(negative, expected, `${name}, negative magnitudes`)
  const levels = factors === undefined ? [...positive, ...negative] : [factors.positive, factors.negative]
  if (levels.some(value => !(value >= 0))) {
    throw new SternaError('tensor/invalid', `tensor "${name}": expected magnitudes ≥ 0`)
  }
  const bits = halfBits(levels, `tensor "${name}", magnitude`)
  if (factors === undefined) return { shape, layout, magnitudes: bits, assignment: tensor.assignment }
  expectLength(factors.scale, shape.filters, `${name}, scale`)
  const result = applyFactors(factors)
  if (!sameValues(result.positive, positive) || !sameValues(result.negative, negative)) {
    throw new SternaError(
      'tensor/invalid',
      `tensor "${name}": its magnitudes are not the product of its factors`,
    )
  }
  const scaleBits = halfBits(factors.scale, `tensor "${name}", scale`)
  return {
    shape,
    layout,
    magnitudes: Uint16Array.of(...bits, ...scaleBits),
    assignment: turnSigns(tensor.assignment.slice(), Float32Array.from(scaleBits, halfToFloat)),
  }
}

/** The same for a sum of terms: magnitudes of one after the other, then the scales they share. */
function storedTerms({ shape, data, terms }: TermsTensor, name: string): StoredTernary {
  const stored = terms.map((term, index) => storedTernary(term, `${name}, term ${index}`))
  const [first, ...others] = stored
  const isOne = others.every(
    ({ layout, magnitudes }, index) =>
      layout === first!.layout &&
      sameShape(terms[index + 1]!.shape, shape) &&
      (layout !== 'scaled' || magnitudes.subarray(2).every((bits, at) => bits === first!.magnitudes[at + 2])),
  )
  if (terms.length < 2 || terms.length > mostTerms || !sameShape(terms[0]!.shape, shape) || !isOne) {
    throw new SternaError(
      'tensor/invalid',
      `tensor "${name}": expected 2 to ${mostTerms} terms of its shape with the same scales, found ${terms.length}`,
    )
  }
  if (!sameValues((sumOf(terms) as TermsTensor).data, data)) {
    throw new SternaError('tensor/invalid', `tensor "${name}": its data is not the sum of its terms`)
  }
  const levels = first!.layout === 'scaled' ? 2 : first!.magnitudes.length
  const magnitudes = stored.flatMap(term => [...term.magnitudes.subarray(0, levels)])
  return {
    ...first!,
    magnitudes: Uint16Array.of(...magnitudes, ...first!.magnitudes.subarray(levels)),
    further: others.map(({ assignment }) => assignment),
  }
}

function shapeOf(dims: readonly number[]): TensorShape {
  return { dims, elements: sizeOf(dims), filters: dims[0] ?? 1 }
}

/** The nearest binary16 of each value. */
function halfBits(values: ArrayLike<number>, what: string): Uint16Array {
  return Uint16Array.from(values, value => {
    const bits = f32ToF16Bits(value)
    if ((bits & 0x7c00) === 0x7c00) {
      throw new SternaError('tensor/invalid', `${what}: ${value} does not fit 16 bits (largest 65504)`)
    }
    return bits
  })
}

function bytesOfHalves(bits: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * bits.length)
  bits.forEach((value, index) => {
    bytes[2 * index] = value & 0xff
    bytes[2 * index + 1] = value >> 8
  })
  return bytes
}

/** One bit for each level, the first in the lowest bit of the first byte. */
function packBits(levels: Int8Array, isSet: (level: number) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(levels.length / 8))
  levels.forEach((level, index) => {
    if (isSet(level)) bits[index >> 3]! |= 1 << (index & 7)
  })
  return bits
}

function sameValues(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}

function expectLength(values: ArrayLike<number>, expected: number, what: string): void {
  if (values.length !== expected) {
    throw new SternaError(
      'tensor/invalid',
      `tensor "${what}": expected ${expected} values, found ${values.length}`,
    )
  }
}
