/** The tensors section: codec, shape and payload length of every tensor, in payload order. */

import { ByteReader } from '../byte-reader.ts'
import type { TensorShape, WeightCodec } from '../codec/codec.ts'
import { codecById } from '../codec/codec-by-id.ts'
import { fileLimits } from '../limits.ts'
import type { Section } from './container.ts'

/** In place of a codec: the tensor lies in parts, each some of its filters and decoded without the others. */
export const partsId = 12

/** A tensor, or some filters of one, that decodes by itself. */
export interface TensorPart {
  readonly codec: WeightCodec
  readonly shape: TensorShape
  /** Of the payload, from the file's first byte. */
  readonly start: number
  readonly end: number
}

export interface TensorEntry {
  readonly shape: TensorShape
  /** One, or several in order of their filters. */
  readonly parts: readonly TensorPart[]
}

export function readTensorTable(bytes: Uint8Array, table: Section, payload: Section): readonly TensorEntry[] {
  const reader = new ByteReader(bytes, table.start, table.end, 'tensors section')
  const count = reader.count('number of tensors', 0, fileLimits.tensors)
  let start = payload.start
  let codedElements = 0

  const readPart = (index: number, codec: WeightCodec, shape: TensorShape): TensorPart => {
    const lengthStart = reader.offset
    if (codec.coded) codedElements += shape.elements
    if (codedElements > fileLimits.codedElements) {
      throw reader.failure(
        'file/limit',
        `tensor ${index}: expected at most ${fileLimits.codedElements} coded weights in a file`,
      )
    }
    const length = reader.varint()
    const part = { codec, shape, start, end: start + length }
    if (part.end > payload.end) {
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
    start = part.end
    return part
  }

  const entries: TensorEntry[] = []
  for (let index = 0; index < count; index++) {
    const entryStart = reader.offset
    const id = reader.u8()
    const codec = id === partsId ? undefined : readCodec(reader, index, id, entryStart)
    const shape = tensorShape(reader, index)
    if (codec !== undefined) {
      entries.push({ shape, parts: [readPart(index, codec, shape)] })
      continue
    }
    const filtersEach = reader.count(`tensor ${index}, filters of a part`, 1, fileLimits.dimension)
    if (filtersEach >= shape.filters)
      throw reader.failure('file/damaged', `tensor ${index}: expected more than one part`, entryStart)
    const parts: TensorPart[] = []
    for (let first = 0; first < shape.filters; first += filtersEach) {
      const partStart = reader.offset
      const partCodec = readCodec(reader, index, reader.u8(), partStart)
      parts.push(readPart(index, partCodec, someFilters(shape, Math.min(filtersEach, shape.filters - first))))
    }
    entries.push({ shape, parts })
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

/** The shape of `filters` filters of a tensor. */
export function someFilters({ dims, elements, filters: all }: TensorShape, filters: number): TensorShape {
  return { dims: [filters, ...dims.slice(1)], elements: (elements / all) * filters, filters }
}

function readCodec(reader: ByteReader, index: number, id: number, offset: number): WeightCodec {
  const codec = codecById(id)
  if (codec === undefined) {
    throw reader.failure('file/unsupported', `tensor ${index}: codec ${id} is not known`, offset)
  }
  return codec
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
