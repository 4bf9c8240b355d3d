/**
 * Reads the protobuf wire format from bytes that may be damaged or hostile: every length is checked against
 * the bytes that are there, nothing is copied, and only SternaError is thrown.
 */
import { SternaError } from '../../core/index.ts'

export type WireType = 'varint' | 'fixed64' | 'bytes' | 'fixed32'

const wireTypes: Readonly<Record<number, WireType>> = { 0: 'varint', 1: 'fixed64', 2: 'bytes', 5: 'fixed32' }

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenientText = new TextDecoder('utf-8', { ignoreBOM: true })

/** One message; call `next`, then exactly one method that takes the field's value. */
export class ProtobufReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #end: number
  #at: number
  #wireType: WireType = 'varint'

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = start
    this.#end = end
  }

  /** The next field's number, or 0 at the end of the message. */
  next(): number {
    if (this.#at === this.#end) return 0
    const start = this.#at
    const tag = this.#varint()
    const wireType = wireTypes[Number(tag & 7n)]
    const field = tag >> 3n
    if (wireType === undefined || field === 0n || field > 0x1fffffffn)
      this.damaged(`${tag} is no field tag`, start)
    this.#wireType = wireType
    return Number(field)
  }

  skip(): void {
    switch (this.#wireType) {
      case 'varint':
        this.#varint()
        break
      case 'fixed64':
        this.#take(8)
        break
      case 'bytes':
        this.#take(this.#length())
        break
      case 'fixed32':
        this.#take(4)
        break
      default:
        this.#wireType satisfies never
    }
  }

  /** An int64 or int32; beyond 2⁵³ it is rounded. */
  int(): number {
    this.#expect('varint')
    return Number(BigInt.asIntN(64, this.#varint()))
  }

  float(): number {
    this.#expect('fixed32')
    return this.#view.getFloat32(this.#take(4), true)
  }

  /** A view of the bytes of a length-delimited field. */
  bytes(): Uint8Array {
    this.#expect('bytes')
    const length = this.#length()
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  string(): string {
    const start = this.#at
    try {
      return strictText.decode(this.bytes())
    } catch (error) {
      if (error instanceof SternaError) throw error
      return this.damaged('text is not UTF-8', start)
    }
  }

  /** Bytes that are mostly text. */
  text(): string {
    return lenientText.decode(this.bytes())
  }

  message(): ProtobufReader {
    this.#expect('bytes')
    const length = this.#length()
    const start = this.#take(length)
    return new ProtobufReader(this.#bytes, start, start + length)
  }

  /** One or, packed, several int64 appended to `values`. */
  bigints(values: bigint[]): void {
    this.#repeated(() => values.push(BigInt.asIntN(64, this.#varint())), 'varint')
  }

  ints(values: number[]): void {
    this.#repeated(() => values.push(Number(BigInt.asIntN(64, this.#varint()))), 'varint')
  }

  floats(values: number[]): void {
    this.#repeated(() => values.push(this.#view.getFloat32(this.#take(4), true)), 'fixed32')
  }

  doubles(values: number[]): void {
    this.#repeated(() => values.push(this.#view.getFloat64(this.#take(8), true)), 'fixed64')
  }

  damaged(what: string, offset = this.#at): never {
    throw new SternaError('file/damaged', `ONNX file, byte ${offset}: ${what}`, { detail: { offset } })
  }

  #repeated(read: () => void, wireType: WireType): void {
    if (this.#wireType !== 'bytes') {
      this.#expect(wireType)
      read()
      return
    }
    const length = this.#length()
    if (length > this.#end - this.#at) this.#truncated(length)
    const end = this.#at + length
    while (this.#at < end) read()
    if (this.#at !== end) this.damaged('a packed list does not end where it says')
  }

  #expect(wireType: WireType): void {
    if (this.#wireType !== wireType)
      this.damaged(`a field is stored as ${this.#wireType}, expected ${wireType}`)
  }

  #length(): number {
    const start = this.#at
    const length = this.#varint()
    if (length > 0x7fffffffn) this.damaged(`a field of ${length} bytes`, start)
    return Number(length)
  }

  /** Moves on by `length` bytes and returns where they start. */
  #take(length: number): number {
    const start = this.#at
    if (length > this.#end - start) this.#truncated(length)
    this.#at = start + length
    return start
  }

  #varint(): bigint {
    // Seven bytes fit a double exactly; longer ones continue in BigInt.
    let low = 0
    let scale = 1
    const start = this.#at
    for (let i = 0; i < 7; i++) {
      const byte = this.#bytes[this.#take(1)]!
      low += (byte & 127) * scale
      if (byte < 128) return BigInt(low)
      scale *= 128
    }
    let value = BigInt(low)
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#take(1)]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    return this.damaged('a number of more than ten bytes', start)
  }

  #truncated(length: number): never {
    const offset = this.#at
    throw new SternaError(
      'file/truncated',
      `ONNX file, byte ${offset}: expected ${length} more bytes, found ${this.#end - offset}`,
      { detail: { offset, expected: length, found: this.#end - offset } },
    )
  }
}
