/** Decodes binary decisions from a range-coded string; the encoder is in the packer. */
import type { ByteReader } from '../byte-reader.ts'

/**
 * Codes one binary decision that is 1 with probability p / 65536, 0 < p < 65536. A decoder ignores `bit` and
 * returns what it reads, an encoder writes `bit` and returns it: model code serves both.
 */
export interface BitCoder {
  code(p: number, bit: number): number
}

/** The part of `range` that a decision with probability p / 65536 takes: ⌊range × p / 65536⌋ in 32-bit integers. */
export function split(range: number, p: number): number {
  return (Math.imul(range >>> 12, p) + (Math.imul(range & 0xfff, p) >>> 12)) >>> 4
}

/** Range starts at 2²⁴ − 1 and grows by bytes while below 2¹⁶: every number stays a small integer. */
export class RangeDecoder implements BitCoder {
  readonly #bytes: Uint8Array
  #next: number
  #code: number
  #range = 0xff_ffff

  /** Reads `bytes` from their start; beyond their end it sees zeros. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#code = (byteAt(bytes, 0) << 16) | (byteAt(bytes, 1) << 8) | byteAt(bytes, 2)
    this.#next = 3
  }

  code(p: number, _bit: number): number {
    let range = this.#range
    let code = this.#code
    const bound = (Math.imul(range >>> 12, p) + (Math.imul(range & 0xfff, p) >>> 12)) >>> 4
    let bit: number
    if (code < bound) {
      range = bound
      bit = 1
    } else {
      range -= bound
      code -= bound
      bit = 0
    }
    while (range < 0x1_0000) {
      const next = this.#next++
      range <<= 8
      code = (code << 8) | (next < this.#bytes.length ? this.#bytes[next]! : 0)
    }
    this.#range = range
    this.#code = code
    return bit
  }

  /** What has not been read. */
  get rest(): Uint8Array {
    return this.#bytes.subarray(this.#next)
  }

  get range(): number {
    return this.#range
  }

  /** Where in the range the string points. */
  get point(): number {
    return this.#code
  }

  /** Goes on behind `taken` bytes of the rest, which somebody else has decoded. */
  resume(range: number, point: number, taken: number): void {
    this.#range = range
    this.#code = point
    this.#next += taken
  }

  /**
   * Checks that the string was meant to end here: all its bytes are read, not more than three beyond them, and
   * its last one says something (an encoder leaves zeros at the end away) unless `shortest` forces its length.
   */
  expectEnd(reader: ByteReader, shortest: number): void {
    const { length } = this.#bytes
    const padded = length > shortest && length > 0 && this.#bytes[length - 1] === 0
    if ((this.#next < length && length > shortest) || padded || this.#code >= this.#range) {
      throw reader.failure('file/damaged', 'the coded weights do not end where their bytes do')
    }
  }
}

function byteAt(bytes: Uint8Array, index: number): number {
  return index < bytes.length ? bytes[index]! : 0
}
