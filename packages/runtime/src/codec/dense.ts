/** Codecs for tensors that are not ternary: binary32, binary16, and 8-bit codes with a scale per first axis. */
import type { ByteReader } from '../byte-reader.ts'
import type { DenseTensor } from '../tensors.ts'
import type { TensorShape, WeightCodec } from './codec.ts'
import { halfToFloat } from './half.ts'

export const f32Codec: WeightCodec = {
  id: 1,
  name: 'f32',
  minimumBytes: shape => shape.elements * 4,
  decode(reader, shape) {
    const data = new Float32Array(shape.elements)
    for (let index = 0; index < data.length; index++) data[index] = finite(reader, reader.f32())
    return { kind: 'dense', shape: shape.dims, storage: 'f32', data }
  },
}

export const f16Codec: WeightCodec = {
  id: 2,
  name: 'f16',
  minimumBytes: shape => shape.elements * 2,
  decode(reader, shape) {
    return { kind: 'dense', shape: shape.dims, storage: 'f16', data: halves(reader, shape.elements) }
  },
}

export const i8Codec: WeightCodec = {
  id: 3,
  name: 'i8',
  minimumBytes: shape => shape.filters * 2 + shape.elements,
  decode(reader, shape) {
    const scale = halves(reader, shape.filters)
    return denseInt8(reader, shape, new Int8Array(reader.take(shape.elements).slice().buffer), scale)
  },
}

/** The tensor of these codes and scales, which are checked. */
export function denseInt8(
  reader: ByteReader,
  shape: TensorShape,
  codes: Int8Array,
  scale: Float32Array,
): DenseTensor {
  if (scale.some(value => value < 0)) throw reader.failure('file/damaged', 'expected scales ≥ 0')
  if (codes.includes(-128))
    throw reader.failure('file/damaged', 'expected codes from −127 to 127, found −128')
  const data = new Float32Array(shape.elements)
  const perFilter = shape.elements / shape.filters
  for (let index = 0; index < data.length; index++) {
    data[index] = codes[index]! * scale[Math.floor(index / perFilter)]!
  }
  return { kind: 'dense', shape: shape.dims, storage: 'i8', data, codes, scale }
}

/** Reads `count` binary16 numbers, each finite; by default they lie there byte by byte. */
export function halves(
  reader: ByteReader,
  count: number,
  nextBits = (): number => reader.f16Bits(),
): Float32Array {
  const values = new Float32Array(count)
  for (let index = 0; index < count; index++) values[index] = finite(reader, halfToFloat(nextBits()))
  return values
}

function finite(reader: ByteReader, value: number): number {
  if (!Number.isFinite(value)) throw reader.failure('file/damaged', `expected finite numbers, found ${value}`)
  return value
}
