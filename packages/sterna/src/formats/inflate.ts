/** DEFLATE with a bound: an archive cannot make us allocate more than its own size accounts for. */

import { inflateSync } from 'fflate'
import { crc32 } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'

/** DEFLATE expands at most 1032 times (258 bytes from two bits); the constant covers tiny streams. */
export function largestInflatedSize(compressedBytes: number): number {
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

/** @throws SternaError 'file/damaged' when the CRC-32 is another */
export function checkCrc32(bytes: Uint8Array, expected: number, where: string): void {
  const found = crc32(bytes)
  if (found !== expected) {
    const hex = (value: number) => value.toString(16).padStart(8, '0')
    throw new SternaError('file/damaged', `${where}: expected checksum ${hex(expected)}, found ${hex(found)}`)
  }
}
