/** The tensors section: codec, shape and payload length of every tensor, in payload order. */

import { ByteReader } from '../byte-reader.ts'
import { codecById, type TensorShape, type WeightCodec } from '../codec/index.ts'
import { fileLimits } from '../limits.ts'
import type { Section } from './container.ts'

export interface TensorEntry {
  readonly codec: WeightCodec
  readonly shape: TensorShape
  /** Of the payload, from the file's first byte. */
  readonly start: number
  readonly end: number
}

export function readTensorTable(bytes: Uint8Array, table: Section, payload: Section): readonly TensorEntry[] {
  const reader = new ByteReader(bytes, table.start, table.end, 'tensors section')
  const count = reader.count('number of tensors', 0, fileLimits.tensors)
  const entries: TensorEntry[] = []
  let start = payload.start
  let codedElements = 0
  for (let index = 0; index < count; index++) {
    const entryStart = reader.offset
    const id = reader.u8()
    const codec = codecById(id)
    if (codec === undefined) {
      throw reader.failure('file/unsupported', `tensor ${index}: codec ${id} is not known`, entryStart)
    }
    const shape = tensorShape(reader, index)
    if (codec.coded) codedElements += shape.elements
    if (codedElements > fileLimits.codedElements) {
      throw reader.failure(
        'file/limit',
        `tensor ${index}: expected at most ${fileLimits.codedElements} coded weights in a file`,
        entryStart,
      )
    }
    const lengthStart = reader.offset
    const length = reader.varint()
    const end = start + length
    if (end > payload.end) {
      throw reader.failure(
        'file/damaged',
        `tensor ${index}: its payload ends beyond the section`,
        lengthStart,
      )
    }
    const minimum = codec.minimumBytes(shape)
    if (length < minimum) {
      throw reader.failure(
        'file/damaged',
        `tensor ${index}: [${shape.dims}] in ${codec.name} takes at least ${minimum} bytes, found ${length}`,
        lengthStart,
      )
    }
    entries.push({ codec, shape, start, end })
    start = end
  }
  reader.expectEnd()
  if (start !== payload.end) {
    throw reader.failure(
      'file/damaged',
      `expected payloads up to byte ${payload.end}, found them to end at ${start}`,
    )
  }
  return entries
}

function tensorShape(reader: ByteReader, index: number): TensorShape {
  const start = reader.offset
  const dims = reader.shape(`tensor ${index}`)
  let elements = 1
  for (const dimension of dims) {
    elements *= dimension
    if (elements > fileLimits.tensorElements) {
      throw reader.failure(
        'file/limit',
        `tensor ${index}: expected at most ${fileLimits.tensorElements} elements`,
        start,
      )
    }
  }
  return { dims, elements, filters: dims[0] ?? 1 }
}
