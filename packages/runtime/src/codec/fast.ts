/** Ternary weights with fixed probabilities per neighbourhood, in four interleaved rANS states. */
import type { ByteReader } from '../byte-reader.ts'
import type { TensorShape, WeightCodec } from './codec.ts'
import { shortestString } from './coded.ts'
import { decodeStates } from './decode.ts'
import { createTarget, magnitudeBytes, magnitudeLayouts, readMagnitudes, ternaryTensor } from './ternary.ts'
import { geometryOf } from './ternary-model.ts'

export const fastLanes = 4
/** Frequencies of a context add up to 2¹². */
export const frequencyBits = 12
/** A state lies between this and 2³¹; below it takes 16 bits from the string. */
export const lowestState = 0x8000
/** Set beside the magnitude layout where all weights share one context. */
export const oneContextFlag = 4

const columnsOfRows = 8
const bytesOfContext = 3
/** Blocks of rows × columns weights; the string holds `weights` of them, zeros behind the tensor's end included. */
export interface FastBlocks {
  readonly rows: number
  readonly columns: number
  readonly weights: number
}

export function fastBlocks(shape: TensorShape): FastBlocks {
  const geometry = geometryOf(shape)
  const isKernel = geometry.rows * geometry.columns > 1
  const rows = isKernel ? geometry.rows : 1
  const columns = isKernel ? geometry.columns : columnsOfRows
  const unit = fastLanes * rows * columns
  return { rows, columns, weights: Math.ceil(shape.elements / unit) * unit }
}

/** The context of a weight: 3 × left + up + 4, both −1 to 1 and 0 where the block ends. */
export const fastContexts = 9

export const fastCodec: WeightCodec = {
  id: 9,
  name: 'fast',
  coded: true,
  minimumBytes: shape =>
    Math.max(magnitudeBytes(shape, 'tensor') + bytesOfContext + 4 * fastLanes, shortestString(shape)),
  decode(reader, shape, { listed, plain } = {}) {
    const start = reader.offset
    const flags = reader.u8()
    const layout = magnitudeLayouts[flags & 3]
    if (layout === undefined || flags > 7) {
      throw reader.failure('file/unsupported', `coding ${flags} of ternary weights is not known`, start)
    }
    const [magnitudes] = readMagnitudes(reader, shape, layout)
    const spans = readSpans(reader, (flags & oneContextFlag) !== 0)
    const states = reader.take(4 * fastLanes)
    const view = new DataView(states.buffer, states.byteOffset, states.length)
    const first = [0, 4, 8, 12].map(at => view.getInt32(at, true))
    if (Math.min(...first) < lowestState) throw reader.failure('file/damaged', 'expected states from 2^15')
    const string = { states: first, spans, bytes: reader.take(reader.remaining) }
    const target = createTarget(shape, magnitudes, listed)
    const end = decodeStates(string, shape, target, plain)
    if (!end.isPadded) throw reader.failure('file/damaged', 'expected zeros behind the last weight')
    if (end.states.some(state => state !== lowestState) || end.next !== string.bytes.length) {
      throw reader.failure('file/damaged', 'the coded weights do not end where their bytes do')
    }
    return ternaryTensor(shape, target, magnitudes)
  },
}

/** What four interleaved decoders start from. */
export interface FastString {
  readonly states: readonly number[]
  /** As `readSpans` makes them. */
  readonly spans: Int32Array
  readonly bytes: Uint8Array
}

export interface FastEnd {
  readonly states: readonly number[]
  /** How many bytes were asked for. */
  readonly next: number
  /** Whether what lies behind the last weight is 0. */
  readonly isPadded: boolean
}

/**
 * Four numbers a context: where −1 begins × 2¹⁶ + where +1 begins, then frequency × 2¹⁶ + begin for 0, +1, −1.
 * A zero frequency of 4096 would not fit its 12 bits: −1 then has the one that is left.
 */
function readSpans(reader: ByteReader, one: boolean): Int32Array {
  const spans = new Int32Array(4 * fastContexts)
  let zero = 0
  let positive = 0
  for (let context = 0; context < fastContexts; context++) {
    if (context === 0 || !one) {
      const start = reader.offset
      const packed = reader.u8() | (reader.u8() << 8) | (reader.u8() << 16)
      zero = packed & 0xfff
      positive = packed >> 12
      if (zero + positive > 1 << frequencyBits) {
        throw reader.failure('file/damaged', 'expected frequencies of at most 4096 together', start)
      }
    }
    const negativeStart = zero + positive
    const negative = (1 << frequencyBits) - negativeStart
    spans.set(
      [(negativeStart << 16) | zero, zero << 16, (positive << 16) | zero, (negative << 16) | negativeStart],
      4 * context,
    )
  }
  return spans
}
