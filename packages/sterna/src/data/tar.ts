/** Reads tar archives (POSIX ustar): a 512-byte header per entry, content padded to 512 bytes. */
import { SternaError } from '../core/index.ts'

export interface TarEntry {
  readonly name: string
  /** A view of the archive's bytes. */
  readonly bytes: Uint8Array
}

const BLOCK_BYTES = 512
const CHECKSUM_OFFSET = 148

/** The regular files of an archive, in order; folders, links and extended headers are passed over. */
export function readTar(archive: Uint8Array): TarEntry[] {
  const entries: TarEntry[] = []
  let offset = 0
  while (offset + BLOCK_BYTES <= archive.length) {
    const header = archive.subarray(offset, offset + BLOCK_BYTES)
    // An archive ends with blocks of zeros.
    if (header.every(byte => byte === 0)) return entries
    checkHeader(header, offset)
    const sizeBytes = octal(header, 124, 12, offset)
    const start = offset + BLOCK_BYTES
    if (sizeBytes > archive.length - start) {
      throw new SternaError(
        'file/truncated',
        `tar: entry at byte ${offset} expects ${sizeBytes} bytes, found ${archive.length - start}`,
      )
    }
    const type = header[156]!
    if (type === 0 || type === 0x30) {
      const prefix = text(header, 345, 155)
      const name = text(header, 0, 100)
      entries.push({
        name: prefix === '' ? name : `${prefix}/${name}`,
        bytes: archive.subarray(start, start + sizeBytes),
      })
    }
    offset = start + Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES
  }
  throw new SternaError(
    'file/truncated',
    `tar: expected an end mark of zeros at byte ${offset}, found the end of the archive`,
  )
}

/** The header's sum, counted with its own field as spaces. */
function checkHeader(header: Uint8Array, offset: number): void {
  let sum = 0
  for (let i = 0; i < BLOCK_BYTES; i++) {
    sum += i >= CHECKSUM_OFFSET && i < CHECKSUM_OFFSET + 8 ? 0x20 : header[i]!
  }
  const written = octal(header, CHECKSUM_OFFSET, 8, offset)
  if (written !== sum) {
    throw new SternaError(
      'file/damaged',
      `tar: header at byte ${offset} has sum ${sum}, its checksum says ${written}`,
    )
  }
}

function octal(header: Uint8Array, start: number, length: number, offset: number): number {
  const digits = text(header, start, length).trim()
  if (!/^[0-7]{1,11}$/.test(digits)) {
    throw new SternaError(
      'file/damaged',
      `tar: expected an octal number at byte ${offset + start}, found "${digits}"`,
    )
  }
  return Number.parseInt(digits, 8)
}

/** Latin-1 text up to the first zero byte. */
function text(header: Uint8Array, start: number, length: number): string {
  let result = ''
  for (let i = start; i < start + length && header[i] !== 0; i++) result += String.fromCharCode(header[i]!)
  return result
}
