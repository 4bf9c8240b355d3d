/**
 * safetensors: 8 bytes little-endian header length, a JSON header (name → dtype, shape, data_offsets), then
 * the raw tensors without overlap or hole. Specification: github.com/huggingface/safetensors, README.
 */
import { type DType, SternaError, type Tensor, tensor } from '../core/index.ts'
import { ByteReader } from './byte-reader.ts'
import { bytesOfElements, ELEMENT_BYTES, elementCount, elementsFromBytes } from './elements.ts'
import { bf16ToF32 } from './float16.ts'
import { findDuplicateKey } from './json.ts'

export interface SafetensorsFile {
  /** In the order of their data in the file. */
  readonly tensors: Map<string, Tensor>
  readonly metadata: Record<string, string>
}

/** The bound of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000

const DTYPE_OF_NAME: Readonly<Record<string, DType | 'bf16'>> = {
  F32: 'f32',
  F64: 'f64',
  F16: 'f16',
  BF16: 'bf16',
  I64: 'i64',
  I32: 'i32',
  I16: 'i16',
  I8: 'i8',
  U8: 'u8',
  BOOL: 'bool',
}

const NAME_OF_DTYPE = {
  f32: 'F32',
  f64: 'F64',
  f16: 'F16',
  i64: 'I64',
  i32: 'I32',
  i16: 'I16',
  i8: 'I8',
  u8: 'U8',
  bool: 'BOOL',
} as const satisfies Record<DType, string>

/**
 * Reads a safetensors file. BF16 tensors are widened to f32, F16 stays as raw bits.
 * @throws SternaError 'file/truncated', 'file/damaged', 'file/limit' or 'file/unsupported'
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const reader = new ByteReader('safetensors', bytes)
  const headerBytes = reader.u64('header length')
  if (headerBytes > MAX_HEADER_BYTES) {
    throw reader.error(
      'file/limit',
      `header of ${headerBytes} bytes, at most ${MAX_HEADER_BYTES} are allowed`,
      0,
    )
  }
  const header = parseHeader(reader.take(headerBytes, 'header'))
  const body = bytes.subarray(reader.position)
  const metadata: Record<string, string> = Object.create(null)
  const entries: Entry[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') readMetadata(value, metadata)
    else entries.push(readEntry(name, value))
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end)
  checkLayout(entries, body.length)
  const tensors = new Map<string, Tensor>()
  for (const { name, dtype, shape, start, end } of entries) {
    const raw = body.subarray(start, end)
    const value =
      dtype === 'bf16'
        ? tensor('f32', shape, bf16ToF32(elementsFromBytes('f16', raw, name)))
        : tensor(dtype, shape, elementsFromBytes(dtype, raw, `safetensors tensor "${name}"`))
    tensors.set(name, value)
  }
  return { tensors, metadata: { ...metadata } }
}

/**
 * Writes a safetensors file. The same tensors and metadata give the same bytes, whatever their order: wider
 * elements first (which aligns them), then by name.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype] || (nameA < nameB ? -1 : 1),
  )
  const fields: string[] = []
  const notes = Object.keys(metadata).sort()
  if (notes.length > 0) {
    const pairs = notes.map(key => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`)
    fields.push(`"__metadata__":{${pairs.join(',')}}`)
  }
  let end = 0
  for (const [name, { dtype, shape, data }] of sorted) {
    if (name === '__metadata__') {
      throw new SternaError('tensor/invalid', 'safetensors: a tensor cannot be named "__metadata__"')
    }
    const start = end
    end += data.byteLength
    fields.push(
      `${JSON.stringify(name)}:{"dtype":"${NAME_OF_DTYPE[dtype]}","shape":[${shape}],"data_offsets":[${start},${end}]}`,
    )
  }
  const header = new TextEncoder().encode(`{${fields.join(',')}}`)
  const paddedBytes = Math.ceil(header.length / 8) * 8
  const result = new Uint8Array(8 + paddedBytes + end)
  new DataView(result.buffer).setBigUint64(0, BigInt(paddedBytes), true)
  result.fill(0x20, 8, 8 + paddedBytes)
  result.set(header, 8)
  let position = 8 + paddedBytes
  for (const [, value] of sorted) {
    result.set(bytesOfElements(value), position)
    position += value.data.byteLength
  }
  return result
}

interface Entry {
  readonly name: string
  readonly dtype: DType | 'bf16'
  readonly shape: readonly number[]
  readonly start: number
  readonly end: number
}

function parseHeader(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let text: string
  let header: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    header = JSON.parse(text)
  } catch (cause) {
    throw new SternaError('file/damaged', 'safetensors at byte 8: the header is not JSON', {
      hint: 'is this a .safetensors file?',
      cause,
    })
  }
  if (!isRecord(header) || bytes[0] !== 0x7b) throw damaged('the header is not a JSON object')
  const duplicate = findDuplicateKey(text)
  if (duplicate !== undefined) throw damaged(`the header names ${JSON.stringify(duplicate)} twice`)
  return header
}

function readMetadata(value: unknown, into: Record<string, string>): void {
  if (!isRecord(value)) throw damaged('"__metadata__" is not an object')
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw damaged(`"__metadata__" entry ${JSON.stringify(key)} is not a string`)
    into[key] = text
  }
}

function readEntry(name: string, value: unknown): Entry {
  const where = `tensor ${JSON.stringify(name)}`
  if (!isRecord(value)) throw damaged(`${where} is described by something that is not an object`)
  const unknownField = Object.keys(value).find(key => !['dtype', 'shape', 'data_offsets'].includes(key))
  if (unknownField !== undefined)
    throw damaged(`${where} has an unknown field ${JSON.stringify(unknownField)}`)
  const { dtype: dtypeName, shape, data_offsets: offsets } = value
  if (typeof dtypeName !== 'string') throw damaged(`${where} has no dtype`)
  const dtype = Object.hasOwn(DTYPE_OF_NAME, dtypeName) ? DTYPE_OF_NAME[dtypeName] : undefined
  if (dtype === undefined) {
    throw new SternaError(
      'file/unsupported',
      `safetensors: ${where} has dtype ${JSON.stringify(dtypeName)}`,
      {
        hint: `known are ${Object.keys(DTYPE_OF_NAME).join(', ')}`,
      },
    )
  }
  const count = elementCount(shape)
  if (count === undefined) throw damaged(`${where} has no valid shape`)
  if (!isOffsets(offsets)) throw damaged(`${where} has no valid data_offsets`)
  const [start, end] = offsets
  const expected = count * (dtype === 'bf16' ? 2 : ELEMENT_BYTES[dtype])
  if (end - start !== expected) {
    throw damaged(
      `${where}, ${dtypeName} [${shape}], takes ${expected} bytes, data_offsets span ${end - start}`,
    )
  }
  return { name, dtype, shape: shape as readonly number[], start, end }
}

/** Every byte of the body belongs to exactly one tensor; the entries come in the order of their data. */
function checkLayout(entries: readonly Entry[], bodyBytes: number): void {
  let position = 0
  for (const { name, start, end } of entries) {
    if (start !== position) {
      const what = start < position ? 'overlaps the tensor before it' : 'leaves a hole before it'
      throw damaged(`tensor ${JSON.stringify(name)} begins at ${start}, expected ${position}: it ${what}`)
    }
    position = end
  }
  if (position > bodyBytes) {
    throw new SternaError(
      'file/truncated',
      `safetensors: the header describes ${position} bytes of tensors, the file has ${bodyBytes}`,
    )
  }
  if (position < bodyBytes) {
    throw damaged(`${bodyBytes - position} bytes after the last tensor belong to none`)
  }
}

function damaged(message: string): SternaError {
  return new SternaError('file/damaged', `safetensors: ${message}`)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOffsets(value: unknown): value is readonly [number, number] {
  return elementCount(value) !== undefined && (value as readonly number[]).length === 2
}
