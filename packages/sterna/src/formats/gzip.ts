/** gzip (RFC 1952), files of one member. */
import { SternaError } from '../core/index.ts'
import { ByteReader } from './byte-reader.ts'
import { checkCrc32, inflate } from './inflate.ts'

const FLAG_HEADER_CRC = 2
const FLAG_EXTRA = 4
const FLAG_NAME = 8
const FLAG_COMMENT = 16

/** Whether the bytes begin like a gzip file. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

/**
 * Expands a gzip file and checks its length and checksum.
 * @param options.maxBytes the largest content to accept
 * @throws SternaError 'file/bad-magic', 'file/truncated', 'file/damaged', 'file/limit' or 'file/unsupported'
 */
export function gunzip(bytes: Uint8Array, options: { readonly maxBytes?: number } = {}): Uint8Array {
  const reader = new ByteReader('gzip', bytes)
  if (!isGzip(bytes)) throw reader.error('file/bad-magic', 'expected the bytes 1f 8b')
  reader.take(2, 'magic')
  const method = reader.u8('compression method')
  if (method !== 8) throw reader.error('file/unsupported', `compression method ${method}, known is 8`)
  const flags = reader.u8('flags')
  if (flags > 31) throw reader.error('file/unsupported', `flags ${flags}: reserved bits are set`)
  reader.take(6, 'time and system')
  if (flags & FLAG_EXTRA) reader.take(reader.u16('extra field length'), 'extra field')
  if (flags & FLAG_NAME) skipText(reader, 'file name')
  if (flags & FLAG_COMMENT) skipText(reader, 'comment')
  if (flags & FLAG_HEADER_CRC) reader.take(2, 'header checksum')
  if (reader.remaining < 8) throw reader.error('file/truncated', 'expected data, checksum and length')
  const compressed = reader.take(reader.remaining - 8, 'data')
  const checksum = reader.u32('checksum')
  const sizeBytes = reader.u32('length')
  const maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY
  if (sizeBytes > maxBytes) {
    throw new SternaError(
      'file/limit',
      `gzip: ${sizeBytes} bytes of content, at most ${maxBytes} are accepted`,
    )
  }
  const content = inflate(compressed, sizeBytes, 'gzip')
  checkCrc32(content, checksum, 'gzip')
  return content
}

/** Passes over text that ends in a zero byte. */
function skipText(reader: ByteReader, what: string): void {
  const end = reader.bytes.indexOf(0, reader.position)
  reader.take(end < 0 ? reader.remaining + 1 : end + 1 - reader.position, what)
}
