/** Reads a bounded range of bytes front to back; every failure names the byte offset in the file. */
import { SternaError, type SternaErrorCode } from './errors.ts'
import { fileLimits } from './limits.ts'

/** Names end up on terminals; `#` tells apart the names that a reader makes itself. */
export const forbiddenInNames: RegExp = /[\p{Cc}#]/u

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #end: number
  readonly #where: string
  #offset: number
  #previousName: Uint8Array = new Uint8Array(0)

  /** Reads `bytes` from `start` up to `end`; `where` names the range in errors. */
  constructor(bytes: Uint8Array, start: number, end: number, where: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#offset = start
    this.#end = end
    this.#where = where
  }

  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.#end - this.#offset
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  f16Bits(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }

  f32(): number {
    return this.#view.getFloat32(this.#advance(4), true)
  }

  /** LEB128 in its shortest form, below 2³². */
  varint(): number {
    const start = this.#offset
    let value = 0
    for (let index = 0; index < 5; index++) {
      const byte = this.u8()
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) {
        if ((byte === 0 && index > 0) || value > 0xffff_ffff) break
        return value
      }
    }
    throw this.failure(
      'file/damaged',
      'expected a variable-length number in its shortest form, below 2^32',
      start,
    )
  }

  /** A varint within bounds; beyond `high` is 'file/limit'. */
  count(what: string, low: number, high: number): number {
    const start = this.#offset
    const value = this.varint()
    if (value < low)
      throw this.failure('file/damaged', `${what}: expected at least ${low}, found ${value}`, start)
    if (value > high)
      throw this.failure('file/limit', `${what}: expected at most ${high}, found ${value}`, start)
    return value
  }

  /** A signed number: 0, −1, 1, −2, 2 … as 0, 1, 2, 3, 4 … */
  signed(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  shape(what: string): readonly number[] {
    const rank = this.count(`${what}, number of axes`, 0, fileLimits.rank)
    return Array.from({ length: rank }, () => this.count(`${what}, size of an axis`, 1, fileLimits.dimension))
  }

  /** The next `length` bytes, not copied. */
  take(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  name(what: string): string {
    const start = this.#offset
    return this.#text(this.take(this.count(`${what}, length`, 0, fileLimits.nameBytes)), what, start)
  }

  /** A name written as the number of bytes it shares with the last one written so, and the rest. */
  frontCodedName(what: string): string {
    const start = this.#offset
    const shared = this.count(`${what}, shared bytes`, 0, this.#previousName.length)
    const rest = this.take(this.count(`${what}, length`, 0, fileLimits.nameBytes - shared))
    const bytes = new Uint8Array(shared + rest.length)
    bytes.set(this.#previousName.subarray(0, shared))
    bytes.set(rest, shared)
    this.#previousName = bytes
    return this.#text(bytes, what, start)
  }

  expectEnd(): void {
    if (this.remaining > 0) {
      throw this.failure('file/damaged', `expected the end, found ${this.remaining} more bytes`)
    }
  }

  failure(code: SternaErrorCode, message: string, offset = this.#offset, cause?: unknown): SternaError {
    return new SternaError(code, `${this.#where}, byte ${offset}: ${message}`, { detail: { offset }, cause })
  }

  #advance(length: number): number {
    const start = this.#offset
    if (length > this.remaining) {
      throw this.failure('file/damaged', `expected ${length} more bytes, found ${this.remaining}`)
    }
    this.#offset += length
    return start
  }

  #text(bytes: Uint8Array, what: string, offset: number): string {
    let text: string
    try {
      text = utf8.decode(bytes)
    } catch (cause) {
      throw this.failure('file/damaged', `${what}: expected UTF-8`, offset, cause)
    }
    if (forbiddenInNames.test(text)) {
      throw this.failure('file/damaged', `${what}: expected no control characters and no "#"`, offset)
    }
    return text
  }
}
