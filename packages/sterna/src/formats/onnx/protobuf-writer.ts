/** Writes the protobuf wire format as a list of chunks; large byte fields are referenced, not copied. */
const encoder = new TextEncoder()

export class ProtobufWriter {
  readonly #chunks: Uint8Array[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  /** A varint field; negative numbers take the ten-byte two's complement form, as int64 does. */
  int(field: number, value: number | bigint): this {
    return this.#tag(field, 0).#push(varint(value))
  }

  float(field: number, value: number): this {
    return this.#tag(field, 5).#push(new Uint8Array(Float32Array.of(value).buffer))
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#tag(field, 2).#push(varint(value.length)).#push(value)
  }

  string(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value))
  }

  /** A nested message. */
  message(field: number, value: ProtobufWriter): this {
    this.#tag(field, 2).#push(varint(value.#length))
    for (const chunk of value.#chunks) this.#push(chunk)
    return this
  }

  /** All chunks joined. */
  join(): Uint8Array {
    const joined = new Uint8Array(this.#length)
    let offset = 0
    for (const chunk of this.#chunks) {
      joined.set(chunk, offset)
      offset += chunk.length
    }
    return joined
  }

  #tag(field: number, wireType: number): this {
    return this.#push(varint(field * 8 + wireType))
  }

  #push(chunk: Uint8Array): this {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    return this
  }
}

function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = []
  if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) {
    let rest = value
    for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
    bytes.push(rest)
  } else {
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    bytes.push(Number(rest))
  }
  return Uint8Array.from(bytes)
}
