/**
 * PNG images (W3C PNG, third edition), reading and writing. Every size is checked against the header before
 * anything is allocated, checksums are verified, and colour management, text and animation are passed over.
 */
import { zlibSync } from 'fflate'
import { crc32 } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'
import { ByteReader } from './byte-reader.ts'
import { checkCrc32, inflateZlib } from './inflate.ts'
import { type PngHeader, type PngImage, scanLineBytes, unpackPixels } from './png-pixels.ts'

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const MAX_PIXELS = 2 ** 26

/** Bit depths allowed for each colour type. */
const DEPTHS_OF_COLOR_TYPE: ReadonlyMap<number, readonly number[]> = new Map([
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [3, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
])

/**
 * Reads an image as 8-bit samples: 16-bit ones are rounded, 1- to 4-bit greys scaled to 0–255, palettes
 * expanded to RGB. Transparency, also that of a palette or of one colour, becomes an alpha channel.
 * @param options.maxPixels the largest width × height to accept, by default 2²⁶
 * @throws SternaError 'file/bad-magic', 'file/truncated', 'file/damaged', 'file/limit' or 'file/unsupported'
 */
export function readPng(bytes: Uint8Array, options: { readonly maxPixels?: number } = {}): PngImage {
  const reader = new ByteReader('png', bytes)
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte))
    throw reader.error('file/bad-magic', 'no PNG signature')
  reader.take(SIGNATURE.length, 'signature')
  const header = readHeader(readChunk(reader), reader, options.maxPixels ?? MAX_PIXELS)
  let palette: Uint8Array | undefined
  let transparency: Uint8Array | undefined
  const compressed: Uint8Array[] = []
  for (;;) {
    const { type, content, at } = readChunk(reader)
    if (type === 'IEND') break
    if (type === 'IDAT') compressed.push(content)
    else if (type === 'PLTE') palette = content
    else if (type === 'tRNS') transparency = content
    else if (type[0]! < 'a') throw reader.error('file/unsupported', `chunk ${JSON.stringify(type)}`, at)
  }
  if (reader.remaining > 0) throw reader.error('file/damaged', `${reader.remaining} bytes after the end`)
  if (header.colorType === 3 && (palette === undefined || palette.length % 3 !== 0 || palette.length > 768)) {
    throw reader.error('file/damaged', 'an indexed image without a valid palette')
  }
  const raw = inflateZlib(concatenate(compressed), scanLineBytes(header), 'png image data')
  return unpackPixels(header, raw, palette, transparency)
}

/**
 * Writes a grey (`channels` 1) or RGB (3) image; the same image gives the same bytes.
 * @throws SternaError 'tensor/invalid' when sizes and data disagree
 */
export function writePng(image: PngImage): Uint8Array {
  const { width, height, channels, data } = image
  const isSize = (value: number) => Number.isInteger(value) && value > 0
  if (!isSize(width) || !isSize(height) || (channels !== 1 && channels !== 3)) {
    throw new SternaError('tensor/invalid', `png: cannot write ${width}×${height} with ${channels} channels`)
  }
  const rowBytes = width * channels
  if (data.length !== height * rowBytes) {
    throw new SternaError(
      'tensor/invalid',
      `png: expected ${height * rowBytes} bytes of data, found ${data.length}`,
    )
  }
  // Each row after its filter type: 2, the difference to the row above.
  const raw = new Uint8Array(height * (1 + rowBytes))
  for (let y = 0; y < height; y++) {
    const at = y * (1 + rowBytes)
    raw[at] = 2
    for (let i = 0; i < rowBytes; i++) {
      const above = y === 0 ? 0 : data[(y - 1) * rowBytes + i]!
      raw[at + 1 + i] = data[y * rowBytes + i]! - above
    }
  }
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([8, channels === 1 ? 0 : 2], 8)
  return concatenate([
    Uint8Array.from(SIGNATURE),
    makeChunk('IHDR', header),
    makeChunk('IDAT', zlibSync(raw, { level: 9 })),
    makeChunk('IEND', new Uint8Array(0)),
  ])
}

interface Chunk {
  readonly type: string
  readonly content: Uint8Array
  readonly at: number
}

function readChunk(reader: ByteReader): Chunk {
  const at = reader.position
  const length = reader.u32BigEndian('chunk length')
  const type = String.fromCharCode(...reader.take(4, 'chunk type'))
  const content = reader.take(length, 'chunk')
  checkCrc32(
    reader.bytes.subarray(at + 4, at + 8 + length),
    reader.u32BigEndian('chunk checksum'),
    `png at byte ${at}`,
  )
  return { type, content, at }
}

function readHeader({ type, content }: Chunk, reader: ByteReader, maxPixels: number): PngHeader {
  if (type !== 'IHDR' || content.length !== 13)
    throw reader.error('file/damaged', 'expected the header chunk IHDR', 8)
  const fields = new ByteReader('png', content)
  const width = fields.u32BigEndian('width')
  const height = fields.u32BigEndian('height')
  const depth = fields.u8('bit depth')
  const colorType = fields.u8('colour type')
  const compression = fields.u8('compression')
  const filter = fields.u8('filter')
  const interlace = fields.u8('interlace')
  if (width === 0 || height === 0)
    throw reader.error('file/damaged', `an image of ${width}×${height} pixels`, 16)
  if (width * height > maxPixels) {
    throw reader.error('file/limit', `${width}×${height} pixels, at most ${maxPixels} are accepted`, 16)
  }
  if (!DEPTHS_OF_COLOR_TYPE.get(colorType)?.includes(depth)) {
    throw reader.error('file/damaged', `colour type ${colorType} with ${depth} bits`, 24)
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw reader.error(
      'file/unsupported',
      `compression ${compression}, filter ${filter}, interlace ${interlace}`,
      26,
    )
  }
  return { width, height, depth, colorType, isInterlaced: interlace === 1 }
}

function makeChunk(type: string, content: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(12 + content.length)
  const view = new DataView(chunk.buffer)
  view.setUint32(0, content.length)
  for (let i = 0; i < 4; i++) chunk[4 + i] = type.charCodeAt(i)
  chunk.set(content, 8)
  view.setUint32(8 + content.length, crc32(chunk.subarray(4, 8 + content.length)))
  return chunk
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let position = 0
  for (const part of parts) {
    result.set(part, position)
    position += part.length
  }
  return result
}
