/** A cursor over foreign bytes: every read is checked, a short file is an error that names the place. */
import { SternaError, type SternaErrorCode } from '../core/index.ts'

export class ByteReader {
  readonly bytes: Uint8Array
  /** Offset of the next read. */
  position: number
  readonly #format: string
  readonly #view: DataView

  /** @param format what the bytes should be, the first word of every message */
  constructor(format: string, bytes: Uint8Array, position = 0) {
    this.#format = format
    this.bytes = bytes
    this.position = position
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.bytes.length - this.position
  }

  /** An error at the current position, or at another. */
  error(code: SternaErrorCode, message: string, at: number = this.position, hint?: string): SternaError {
    return new SternaError(code, `${this.#format} at byte ${at}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      detail: { offset: at },
    })
  }

  /** The next bytes as a view of the input, not a copy. */
  take(count: number, what: string): Uint8Array {
    const start = this.#advance(count, what)
    return this.bytes.subarray(start, start + count)
  }

  /** The bytes up to the next line feed, which is passed over, as Latin-1 text. */
  line(what: string): string {
    const end = this.bytes.indexOf(0x0a, this.position)
    if (end < 0 || end - this.position > 1024)
      throw this.error('file/damaged', `${what} has no end within 1024 bytes`)
    const start = this.#advance(end + 1 - this.position, what)
    return String.fromCharCode(...this.bytes.subarray(start, end))
  }

  u8(what: string): number {
    return this.bytes[this.#advance(1, what)]!
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#advance(2, what), true)
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#advance(4, what), true)
  }

  i32(what: string): number {
    return this.#view.getInt32(this.#advance(4, what), true)
  }

  u32BigEndian(what: string): number {
    return this.#view.getUint32(this.#advance(4, what), false)
  }

  f64BigEndian(what: string): number {
    return this.#view.getFloat64(this.#advance(8, what), false)
  }

  /** A 64-bit size or offset; one beyond 2⁵³ − 1 cannot be in a file that exists. */
  u64(what: string): number {
    const at = this.#advance(8, what)
    const value = this.#view.getBigUint64(at, true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.error('file/limit', `${what} is ${value}`, at)
    return Number(value)
  }

  #advance(count: number, what: string): number {
    if (count > this.remaining) {
      throw this.error(
        'file/truncated',
        `expected ${count} bytes of ${what}, found ${Math.max(0, this.remaining)}`,
      )
    }
    const start = this.position
    this.position = start + count
    return start
  }
}
