/** One tensor → its payload: the encoding half of the runtime's codecs. */
import type { Int8Tensor, PackedTensor, TernaryTensor } from 'sterna-runtime'
import {
  applyFactors,
  f16Codec,
  f32Codec,
  i8Codec,
  type MagnitudeLayout,
  magnitudeLayouts,
  maskSignCodec,
  signCodec,
  turnSigns,
  type WeightCodec,
} from 'sterna-runtime/format'
import { SternaError, sizeOf } from '../core/index.ts'
import { f16BitsToF32, f32ToF16Bits } from '../formats/index.ts'
import { ByteWriter } from './byte-writer.ts'

export interface EncodedTensor {
  readonly codec: WeightCodec
  readonly payload: Uint8Array
}

/** Sixteen-bit fields are rounded to the nearest; `name` is for errors. */
export function encodeTensor(tensor: PackedTensor, name: string): EncodedTensor {
  const out = new ByteWriter()
  const codec = tensor.kind === 'ternary' ? encodeTernary(out, tensor, name) : encodeDense(out, tensor, name)
  return { codec, payload: out.finish() }
}

function encodeDense(
  out: ByteWriter,
  tensor: Exclude<PackedTensor, TernaryTensor>,
  name: string,
): WeightCodec {
  expectLength(tensor.data, sizeOf(tensor.shape), name)
  if (!tensor.data.every(Number.isFinite)) {
    throw new SternaError('tensor/invalid', `tensor "${name}": expected finite numbers`)
  }
  switch (tensor.storage) {
    case 'f32':
      for (const value of tensor.data) out.f32(value)
      return f32Codec
    case 'f16':
      for (const value of tensor.data) out.f16(value, `tensor "${name}"`)
      return f16Codec
    case 'i8':
      encodeInt8(out, tensor, name)
      return i8Codec
    default:
      return tensor satisfies never
  }
}

function encodeInt8(out: ByteWriter, tensor: Int8Tensor, name: string): void {
  const { codes, scale } = tensor
  expectLength(codes, sizeOf(tensor.shape), `${name}, codes`)
  expectLength(scale, tensor.shape[0] ?? 1, `${name}, scale`)
  if (codes.includes(-128) || scale.some(value => !(value >= 0))) {
    throw new SternaError(
      'tensor/invalid',
      `tensor "${name}": expected codes from −127 to 127 and scales ≥ 0`,
    )
  }
  for (const value of scale) out.f16(value, `tensor "${name}", scale`)
  out.bytes(new Uint8Array(codes.buffer, codes.byteOffset, codes.length))
}

function encodeTernary(out: ByteWriter, tensor: TernaryTensor, name: string): WeightCodec {
  expectLength(tensor.assignment, sizeOf(tensor.shape), `${name}, assignment`)
  const assignment = encodeMagnitudes(out, tensor, name)
  if (!assignment.every(level => level >= -1 && level <= 1)) {
    throw new SternaError('tensor/invalid', `tensor "${name}": expected an assignment of −1, 0 and +1`)
  }
  const codec = assignment.includes(0) ? maskSignCodec : signCodec
  if (codec === maskSignCodec) out.bytes(packBits(assignment, level => level !== 0))
  out.bytes(
    packBits(
      codec === maskSignCodec ? assignment.filter(level => level !== 0) : assignment,
      level => level < 0,
    ),
  )
  return codec
}

/** Returns the assignment as it lies in the file. */
function encodeMagnitudes(out: ByteWriter, tensor: TernaryTensor, name: string): Int8Array {
  const { positive, negative, factors } = tensor
  const filters = tensor.shape[0] ?? 1
  const layout: MagnitudeLayout =
    factors !== undefined ? 'scaled' : positive.length === 1 ? 'tensor' : 'filter'
  const expected = layout === 'tensor' ? 1 : filters
  expectLength(positive, expected, `${name}, positive magnitudes`)
  expectLength(negative, expected, `${name}, negative magnitudes`)
  const stored = factors ?? { positive, negative }
  const pairs = [stored.positive, stored.negative].map(side =>
    typeof side === 'number' ? [side] : [...side],
  )
  if (pairs.flat().some(value => !(value >= 0))) {
    throw new SternaError('tensor/invalid', `tensor "${name}": expected magnitudes ≥ 0`)
  }
  out.u8(magnitudeLayouts.indexOf(layout))
  for (const value of pairs.flat()) out.f16(value, `tensor "${name}", magnitude`)
  if (factors === undefined) return tensor.assignment
  expectLength(factors.scale, filters, `${name}, scale`)
  const result = applyFactors(factors)
  if (!sameValues(result.positive, positive) || !sameValues(result.negative, negative)) {
    throw new SternaError(
      'tensor/invalid',
      `tensor "${name}": its magnitudes are not the product of its factors`,
    )
  }
  for (const value of factors.scale) out.f16(value, `tensor "${name}", scale`)
  return turnSigns(
    tensor.assignment.slice(),
    factors.scale.map(value => f16BitsToF32(f32ToF16Bits(value))),
  )
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
