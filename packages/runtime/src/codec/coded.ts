/** Range-coded tensors: ternary weights by their context, everything else by the models of bytes. */
import type { ByteReader } from '../byte-reader.ts'
import { memoryLimits } from './adaptive-bits.ts'
import type { PlainDecoders, TensorShape, WeightCodec } from './codec.ts'
import { ByteModel } from './coded-values.ts'
import { decodeAssignment, decodeHalves } from './decode.ts'
import { denseInt8, halves } from './dense.ts'
import { RangeDecoder } from './range-decoder.ts'
import { createTarget, magnitudeLayouts, readMagnitudes, ternaryTensor } from './ternary.ts'
import { geometryOf } from './ternary-model.ts'

/** No payload says more than this many weights in a byte: what a short hostile file can ask for is bounded. */
export const weightsPerByte = 1024

/** The first byte of a `small` payload, besides the magnitude layout in its lowest two bits. */
export const smallFlags = { fixed: 4, deadFilters: 8, deadChannels: 16, memoryShift: 5 } as const

const headerBytes = { context: 3, fixed: 5 } as const

function contextCodec(id: number, name: 'small' | 'max'): WeightCodec {
  return {
    id,
    name,
    coded: true,
    minimumBytes: shape => headerBytes.context + shortestString(shape),
    decode(reader, shape, { listed, plain } = {}) {
      const start = reader.offset
      const flags = reader.u8()
      const layout = magnitudeLayouts[flags & 3]
      const memory = memoryLimits[flags >> smallFlags.memoryShift]
      const fixed = (flags & smallFlags.fixed) !== 0
      if (layout === undefined || memory === undefined || (fixed && flags > 7)) {
        throw reader.failure('file/unsupported', `coding ${flags} of ternary weights is not known`, start)
      }
      const probabilities = [readProbability(reader, fixed), readProbability(reader, fixed)] as const
      const coder = new RangeDecoder(reader.take(reader.remaining))
      const [magnitudes] = readMagnitudes(reader, shape, layout, count => decodeHalves(coder, count, plain))
      const target = createTarget(shape, magnitudes, listed)
      const [density, negative] = probabilities
      decodeAssignment(
        coder,
        target,
        {
          geometry: geometryOf(shape),
          order: { channelsFirst: false, columnsFirst: false },
          model: fixed
            ? { set: 'fixed', density, negative }
            : {
                density,
                negative,
                memory,
                set: 'plane',
                mixed: name === 'max',
                deadFilters: (flags & smallFlags.deadFilters) !== 0,
                deadChannels: (flags & smallFlags.deadChannels) !== 0,
              },
        },
        plain,
      )
      coder.expectEnd(reader, shortestString(shape))
      return ternaryTensor(shape, target, magnitudes)
    },
  }
}

export const smallCodec: WeightCodec = contextCodec(6, 'small')
export const maxCodec: WeightCodec = contextCodec(10, 'max')

export const codedF16Codec: WeightCodec = {
  id: 7,
  name: 'f16-coded',
  coded: true,
  minimumBytes: shortestString,
  decode(reader, shape, { plain } = {}) {
    const coder = new RangeDecoder(reader.take(reader.remaining))
    const data = codedHalves(reader, coder, shape.elements, plain)
    coder.expectEnd(reader, shortestString(shape))
    return { kind: 'dense', shape: shape.dims, storage: 'f16', data }
  },
}

export const codedI8Codec: WeightCodec = {
  id: 8,
  name: 'i8-coded',
  coded: true,
  minimumBytes: shortestString,
  decode(reader, shape, { plain } = {}) {
    const coder = new RangeDecoder(reader.take(reader.remaining))
    const scale = codedHalves(reader, coder, shape.filters, plain)
    const bytes = new ByteModel()
    const codes = new Int8Array(shape.elements)
    for (let index = 0; index < codes.length; index++) codes[index] = bytes.code(coder, 0) - 128
    coder.expectEnd(reader, shortestString(shape))
    return denseInt8(reader, shape, codes, scale)
  },
}

/** The least bytes a range-coded string of these weights, so many terms each, takes; shorter ones end in zeros up to it. */
export function shortestString(shape: TensorShape, terms = 1): number {
  return Math.ceil((terms * shape.elements) / weightsPerByte)
}

/** Of 65536 where `fixed`, otherwise of 256; never 0. */
export function readProbability(reader: ByteReader, fixed = false): number {
  const value = fixed ? reader.f16Bits() : reader.u8()
  if (value === 0) throw reader.failure('file/damaged', 'expected a probability above 0')
  return value
}

function codedHalves(
  reader: ByteReader,
  coder: RangeDecoder,
  count: number,
  plain: PlainDecoders | undefined,
): Float32Array {
  const bits = decodeHalves(coder, count, plain)
  let taken = 0
  return halves(reader, count, () => bits[taken++]!)
}
