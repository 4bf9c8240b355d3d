/** NumPy's .npy, versions 1 to 3. Specification: numpy.lib.format. */
import { type DType, type DTypeArrays, SternaError, sizeOf, type Tensor, tensor } from '../core/index.ts'
import { ByteReader } from './byte-reader.ts'
import { bytesOfElements, ELEMENT_BYTES, elementCount, elementsFromBytes } from './elements.ts'
import { gatherStrided } from './strided.ts'

const DESCRIPTION_OF_DTYPE = {
  f32: '<f4',
  f64: '<f8',
  f16: '<f2',
  i64: '<i8',
  i32: '<i4',
  i16: '<i2',
  i8: '|i1',
  u8: '|u1',
  bool: '|b1',
} as const satisfies Record<DType, string>

const DTYPE_OF_DESCRIPTION: ReadonlyMap<string, DType> = new Map(
  (Object.keys(DESCRIPTION_OF_DTYPE) as DType[]).map(dtype => [DESCRIPTION_OF_DTYPE[dtype], dtype]),
)

const MAX_HEADER_BYTES = 65_536

/**
 * Reads one array; Fortran order becomes row-major.
 * @throws SternaError 'file/bad-magic', 'file/truncated', 'file/damaged', 'file/limit' or 'file/unsupported'
 */
export function readNpy(bytes: Uint8Array): Tensor {
  const reader = new ByteReader('npy', bytes)
  const magic = reader.take(Math.min(6, bytes.length), 'magic')
  if (String.fromCharCode(...magic) !== '\x93NUMPY') {
    throw reader.error('file/bad-magic', 'expected the bytes 93 "NUMPY"', 0)
  }
  const major = reader.u8('version')
  reader.u8('version')
  if (major < 1 || major > 3) throw reader.error('file/unsupported', `version ${major}, known are 1 to 3`, 6)
  const headerBytes = major === 1 ? reader.u16('header length') : reader.u32('header length')
  if (headerBytes > MAX_HEADER_BYTES) {
    throw reader.error(
      'file/limit',
      `header of ${headerBytes} bytes, at most ${MAX_HEADER_BYTES} are accepted`,
    )
  }
  const at = reader.position
  const header = parseHeader(new TextDecoder('latin1').decode(reader.take(headerBytes, 'header')))
  if (typeof header === 'string') throw reader.error('file/damaged', header, at)
  const { description, isFortran, shape } = header
  const dtype = DTYPE_OF_DESCRIPTION.get(description)
  if (dtype === undefined) {
    const hint = description.startsWith('>')
      ? 'big-endian; convert with array.astype(array.dtype.newbyteorder("<"))'
      : `known are ${[...DTYPE_OF_DESCRIPTION.keys()].join(', ')}`
    throw reader.error('file/unsupported', `element type "${description}"`, at, hint)
  }
  const count = elementCount(shape)
  if (count === undefined) throw reader.error('file/damaged', `[${shape}] is not a shape`, at)
  const sizeBytes = count * ELEMENT_BYTES[dtype]
  const raw = reader.take(sizeBytes, `elements, ${description} [${shape}]`)
  if (reader.remaining > 0) throw reader.error('file/damaged', `${reader.remaining} bytes after the array`)
  const ordered = isFortran
    ? gatherStrided(
        raw,
        ELEMENT_BYTES[dtype],
        { offset: 0, shape, strides: fortranStrides(shape) },
        count,
        'npy',
      )
    : raw
  return tensor(dtype, shape, elementsFromBytes(dtype, ordered, 'npy') as DTypeArrays[DType])
}

/** Writes one array, version 1, row-major; the same tensor gives the same bytes. */
export function writeNpy(value: Tensor): Uint8Array {
  sizeOf(value.shape)
  const shape = value.shape.length === 1 ? `${value.shape[0]},` : value.shape.join(', ')
  const text = `{'descr': '${DESCRIPTION_OF_DTYPE[value.dtype]}', 'fortran_order': False, 'shape': (${shape}), }`
  const headerBytes = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  if (headerBytes > 0xffff)
    throw new SternaError('tensor/invalid', `npy: a shape of ${value.shape.length} axes`)
  const elements = bytesOfElements(value)
  const result = new Uint8Array(10 + headerBytes + elements.length)
  result.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, headerBytes & 0xff, headerBytes >>> 8])
  result.set(new TextEncoder().encode(`${text.padEnd(headerBytes - 1)}\n`), 10)
  result.set(elements, 10 + headerBytes)
  return result
}

interface Header {
  readonly description: string
  readonly isFortran: boolean
  readonly shape: readonly number[]
}

const TOKEN = /\s*(?:'([^'\\]*)'|"([^"\\]*)"|(True|False)|(\d{1,16})L?|([{}()[\]:,]))/y

/** The Python dictionary of the header, or what is wrong with it. */
function parseHeader(text: string): Header | string {
  const tokens: { kind: 'text' | 'bool' | 'number' | 'mark'; value: string }[] = []
  TOKEN.lastIndex = 0
  const content = text.trimEnd()
  while (TOKEN.lastIndex < content.length) {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(content)
    if (!match) return `the header is not a dictionary as expected, at its character ${at}`
    const quoted = match[1] ?? match[2]
    if (quoted !== undefined) tokens.push({ kind: 'text', value: quoted })
    else if (match[3]) tokens.push({ kind: 'bool', value: match[3] })
    else if (match[4]) tokens.push({ kind: 'number', value: match[4] })
    else tokens.push({ kind: 'mark', value: match[5]! })
  }
  let position = 0
  const takeMark = (mark: string) => {
    const found = tokens[position]?.kind === 'mark' && tokens[position]?.value === mark
    if (found) position++
    return found
  }
  const fields = new Map<string, string | boolean | number[]>()
  if (!takeMark('{')) return 'the header is not a dictionary'
  while (!takeMark('}')) {
    const key = tokens[position++]
    if (key?.kind !== 'text' || !takeMark(':')) return 'the header has a field without a name'
    if (fields.has(key.value)) return `the header names "${key.value}" twice`
    const value = tokens[position]
    if (value?.kind === 'text') fields.set(key.value, value.value)
    else if (value?.kind === 'bool') fields.set(key.value, value.value === 'True')
    else if (takeMark('(')) {
      const sizes: number[] = []
      while (tokens[position]?.kind === 'number') {
        sizes.push(Number(tokens[position++]!.value))
        if (!takeMark(',')) break
      }
      if (tokens[position]?.value !== ')') return 'the shape in the header has no end'
      fields.set(key.value, sizes)
    } else return `the header's "${key.value}" is not plain text, a bool or a tuple of sizes`
    position++
    if (!takeMark(',') && tokens[position]?.value !== '}') return 'the header has no end'
  }
  if (position !== tokens.length) return 'the header goes on after its dictionary'
  const description = fields.get('descr')
  const isFortran = fields.get('fortran_order')
  const shape = fields.get('shape')
  if (typeof description !== 'string') return 'the header has no plain "descr"'
  if (typeof isFortran !== 'boolean') return 'the header has no "fortran_order"'
  if (!Array.isArray(shape)) return 'the header has no "shape"'
  return { description, isFortran, shape }
}

function fortranStrides(shape: readonly number[]): number[] {
  let stride = 1
  return shape.map(size => {
    const own = stride
    stride *= size
    return own
  })
}
