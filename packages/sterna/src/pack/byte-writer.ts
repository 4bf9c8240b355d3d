/** Appends the primitives of a `.sterna` file to a growing buffer; the counterpart of the runtime's reader. */
import { fileLimits, forbiddenInNames } from 'sterna-runtime/format'
import { SternaError } from '../core/index.ts'

const utf8 = new TextEncoder()

export class ByteWriter {
  #bytes = new Uint8Array(256)
  #view = new DataView(this.#bytes.buffer)
  #length = 0
  #previousName: Uint8Array = new Uint8Array(0)

  get length(): number {
    return this.#length
  }

  u8(value: number): void {
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#grow(2)
    this.#view.setUint16(at, value, true)
  }

  u32(value: number): void {
    const at = this.#grow(4)
    this.#view.setUint32(at, value, true)
  }

  f32(value: number): void {
    const at = this.#grow(4)
    this.#view.setFloat32(at, value, true)
  }

  /** LEB128, shortest form, 0 ≤ value < 2³². */
  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.u8((rest % 0x80) + 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.u8(rest)
  }

  /** −2³¹ ≤ value < 2³¹. */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  shape(shape: readonly number[], what: string): void {
    if (shape.length > fileLimits.rank) {
      throw new SternaError(
        'file/limit',
        `${what}: expected at most ${fileLimits.rank} axes, found ${shape.length}`,
      )
    }
    this.varint(shape.length)
    for (const dimension of shape) this.count(dimension, 1, fileLimits.dimension, what)
  }

  /** A varint within bounds. */
  count(value: number, low: number, high: number, what: string): void {
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new SternaError(
        'file/limit',
        `${what}: expected a whole number from ${low} to ${high}, found ${value}`,
      )
    }
    this.varint(value)
  }

  bytes(bytes: Uint8Array): void {
    const start = this.#grow(bytes.length)
    this.#bytes.set(bytes, start)
  }

  name(name: string): void {
    const bytes = utf8.encode(name)
    this.varint(bytes.length)
    this.bytes(bytes)
  }

  /** Only what differs from the last name written so. */
  frontCodedName(name: string): void {
    const bytes = utf8.encode(name)
    const longest = Math.min(bytes.length, this.#previousName.length)
    let shared = 0
    while (shared < longest && bytes[shared] === this.#previousName[shared]) shared++
    this.varint(shared)
    this.varint(bytes.length - shared)
    this.bytes(bytes.subarray(shared))
    this.#previousName = bytes
  }

  /** Everything written so far, as a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #grow(count: number): number {
    const start = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length))
      larger.set(this.#bytes.subarray(0, start))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return start
  }
}

/** Whether a file can hold this name as it is. */
export function isStorableName(name: string): boolean {
  return name !== '' && !forbiddenInNames.test(name) && utf8.encode(name).length <= fileLimits.nameBytes
}
