/** DEFLATE with a bound: an archive cannot make us allocate more than its own size accounts for. */

import { inflateSync } from 'fflate'
import { crc32 } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'

/** The largest content that is expanded in one piece. */
const MAX_INFLATED_BYTES = 2 ** 31

/** DEFLATE expands at most 1032 times (258 bytes from two bits); the constant covers tiny streams. */
function largestInflatedSize(compressedBytes: number): number {
  return compressedBytes * 1032 + 1024
}

/**
 * Expands a raw DEFLATE stream whose size is known.
 * @param where names the stream in messages
 * @throws SternaError 'file/damaged' when the stream is broken or its size another
 */
export function inflate(compressed: Uint8Array, sizeBytes: number, where: string): Uint8Array {
  if (sizeBytes > largestInflatedSize(compressed.length)) {
    throw new SternaError(
      'file/damaged',
      `${where}: ${compressed.length} compressed bytes cannot hold the declared ${sizeBytes}`,
    )
  }
  if (sizeBytes > MAX_INFLATED_BYTES) {
    throw new SternaError(
      'file/limit',
      `${where}: ${sizeBytes} bytes, at most ${MAX_INFLATED_BYTES} are expanded`,
    )
  }
  // One byte more than declared shows a stream that is longer; fflate never grows a buffer it is given.
  const buffer = new Uint8Array(sizeBytes + 1)
  let result: Uint8Array
  try {
    if (compressed.length === 0) throw new Error('the stream is empty')
    result = inflateSync(compressed, { out: buffer })
  } catch (cause) {
    throw new SternaError('file/damaged', `${where}: the compressed data is broken`, { cause })
  }
  if (result.length !== sizeBytes) {
    const found = result.length > sizeBytes ? 'more' : result.length
    throw new SternaError(
      'file/damaged',
      `${where}: expected ${sizeBytes} bytes after expansion, found ${found}`,
    )
  }
  return result
}

/** Expands a zlib stream (RFC 1950) whose size is known and checks its Adler-32. @throws as inflate */
export function inflateZlib(bytes: Uint8Array, sizeBytes: number, where: string): Uint8Array {
  const [method = 0, flags = 0] = bytes
  const isZlib = (method & 15) === 8 && ((method << 8) | flags) % 31 === 0 && (flags & 32) === 0
  if (bytes.length < 6 || !isZlib) throw new SternaError('file/damaged', `${where}: not a zlib stream`)
  const content = inflate(bytes.subarray(2, -4), sizeBytes, where)
  const found = adler32(content)
  const expected = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(bytes.length - 4)
  if (found !== expected) throw new SternaError('file/damaged', `${where}: the checksum does not hold`)
  return content
}

function adler32(bytes: Uint8Array): number {
  let a = 1
  let b = 0
  for (let i = 0; i < bytes.length; ) {
    // The sums stay below 2³² for this many bytes.
    const end = Math.min(i + 5552, bytes.length)
    for (; i < end; i++) {
      a += bytes[i]!
      b += a
    }
    a %= 65_521
    b %= 65_521
  }
  return ((b << 16) | a) >>> 0
}

/** @throws SternaError 'file/damaged' when the CRC-32 is another */
export function checkCrc32(bytes: Uint8Array, expected: number, where: string): void {
  const found = crc32(bytes)
  if (found !== expected) {
    const hex = (value: number) => value.toString(16).padStart(8, '0')
    throw new SternaError('file/damaged', `${where}: expected checksum ${hex(expected)}, found ${hex(found)}`)
  }
}
