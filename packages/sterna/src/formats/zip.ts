/** ZIP archives: enough for PyTorch and NumPy files. Stored and deflated entries, ZIP64 sizes, no encryption. */
import { crc32 } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'
import { ByteReader } from './byte-reader.ts'
import { checkCrc32, inflate } from './inflate.ts'

export interface ZipArchive {
  /** Names of the entries, in the order of the directory; folders end in a slash. */
  readonly names: readonly string[]
  has(name: string): boolean
  /** Size of an entry's content, without expanding it. */
  sizeBytes(name: string): number
  /** The content of an entry, checksum verified; a stored entry is a view of the archive. */
  read(name: string): Uint8Array
}

interface Entry {
  readonly name: string
  readonly method: number
  readonly checksum: number
  readonly compressedBytes: number
  readonly sizeBytes: number
  readonly headerOffset: number
}

const LOCAL_HEADER = 0x0403_4b50
const CENTRAL_HEADER = 0x0201_4b50
const END_OF_DIRECTORY = 0x0605_4b50
const ZIP64_END_OF_DIRECTORY = 0x0606_4b50
const ZIP64_LOCATOR = 0x0706_4b50

const STORED = 0
const DEFLATED = 8

/** Whether the bytes begin like a ZIP archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5)
}

/**
 * Opens an archive: reads its directory, no content yet.
 * @throws SternaError 'file/bad-magic', 'file/truncated', 'file/damaged' or 'file/unsupported'
 */
export function readZip(bytes: Uint8Array): ZipArchive {
  const { directoryOffset, entryCount, directoryEnd } = findDirectory(bytes)
  const reader = new ByteReader('zip', bytes.subarray(0, directoryEnd), directoryOffset)
  const entries = new Map<string, Entry>()
  for (let i = 0; i < entryCount; i++) {
    const at = reader.position
    const entry = readDirectoryEntry(reader)
    if (entries.has(entry.name))
      throw reader.error('file/damaged', `two entries are named "${entry.name}"`, at)
    entries.set(entry.name, entry)
  }
  checkOverlap([...entries.values()], directoryOffset)
  const entryNamed = (name: string) => {
    const entry = entries.get(name)
    if (!entry) throw new SternaError('file/damaged', `zip: the archive has no entry "${name}"`)
    return entry
  }
  return {
    names: [...entries.keys()],
    has: name => entries.has(name),
    sizeBytes: name => entryNamed(name).sizeBytes,
    read: name => readEntry(bytes.subarray(0, directoryOffset), entryNamed(name)),
  }
}

/**
 * Writes an archive of stored entries in the order given; the same entries give the same bytes.
 * @throws SternaError 'file/limit' when it would need ZIP64 (4 GiB or 65,535 entries)
 */
export function writeZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const prepared = [...entries].map(([name, content]) => ({ name: new TextEncoder().encode(name), content }))
  const headerBytes = prepared.reduce((sum, { name }) => sum + 30 + 46 + 2 * name.length, 22)
  const total = prepared.reduce((sum, { content }) => sum + content.length, headerBytes)
  if (total > 0xffff_fffe || prepared.length > 0xfffe) {
    throw new SternaError('file/limit', `zip: ${prepared.length} entries in ${total} bytes need ZIP64`)
  }
  const result = new Uint8Array(total)
  const view = new DataView(result.buffer)
  let position = 0
  const u16 = (...values: number[]) => {
    for (const value of values) {
      view.setUint16(position, value, true)
      position += 2
    }
  }
  const u32 = (...values: number[]) => {
    for (const value of values) {
      view.setUint32(position, value, true)
      position += 4
    }
  }
  const put = (part: Uint8Array) => {
    result.set(part, position)
    position += part.length
  }
  /** Version 2.0, UTF-8 names, stored, midnight of 1980-01-01, checksum, sizes, name length, no extra field. */
  const common = (name: Uint8Array, content: Uint8Array, checksum: number) => {
    u16(20, 0x0800, STORED, 0, 0x0021)
    u32(checksum, content.length, content.length)
    u16(name.length, 0)
  }
  const checksums = prepared.map(({ content }) => crc32(content))
  const offsets = prepared.map(({ name, content }, i) => {
    const offset = position
    u32(LOCAL_HEADER)
    common(name, content, checksums[i]!)
    put(name)
    put(content)
    return offset
  })
  const directoryOffset = position
  prepared.forEach(({ name, content }, i) => {
    u32(CENTRAL_HEADER)
    u16(20)
    common(name, content, checksums[i]!)
    u16(0, 0, 0)
    u32(0, offsets[i]!)
    put(name)
  })
  const directoryBytes = position - directoryOffset
  u32(END_OF_DIRECTORY)
  u16(0, 0, prepared.length, prepared.length)
  u32(directoryBytes, directoryOffset)
  u16(0)
  return result
}

function findDirectory(bytes: Uint8Array): {
  directoryOffset: number
  entryCount: number
  directoryEnd: number
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const earliest = Math.max(0, bytes.length - 22 - 0xffff)
  let end = bytes.length - 22
  while (end >= earliest) {
    if (
      view.getUint32(end, true) === END_OF_DIRECTORY &&
      view.getUint16(end + 20, true) === bytes.length - end - 22
    )
      break
    end--
  }
  if (end < earliest) {
    const code = isZip(bytes) ? 'file/truncated' : 'file/bad-magic'
    throw new SternaError(code, 'zip: the directory at the end of the archive is missing')
  }
  let entryCount = view.getUint16(end + 10, true)
  let directoryBytes = view.getUint32(end + 12, true)
  let directoryOffset = view.getUint32(end + 16, true)
  let directoryEnd = end
  const needsZip64 =
    entryCount === 0xffff || directoryBytes === 0xffff_ffff || directoryOffset === 0xffff_ffff
  if (needsZip64) {
    if (end < 20 || view.getUint32(end - 20, true) !== ZIP64_LOCATOR) {
      throw new SternaError('file/damaged', `zip at byte ${end}: the ZIP64 locator is missing`)
    }
    const locator = new ByteReader('zip', bytes, end - 12)
    const record = new ByteReader('zip', bytes, locator.u64('ZIP64 directory offset'))
    directoryEnd = record.position
    if (record.u32('ZIP64 signature') !== ZIP64_END_OF_DIRECTORY) {
      throw record.error('file/damaged', 'expected the ZIP64 directory record')
    }
    record.take(20, 'ZIP64 directory record')
    record.u64('entries on this disk')
    entryCount = record.u64('entry count')
    directoryBytes = record.u64('directory size')
    directoryOffset = record.u64('directory offset')
  }
  if (directoryOffset + directoryBytes > directoryEnd || entryCount * 46 > directoryBytes) {
    throw new SternaError(
      'file/damaged',
      `zip: a directory of ${entryCount} entries at byte ${directoryOffset}, ${directoryBytes} bytes, does not fit`,
    )
  }
  return { directoryOffset, entryCount, directoryEnd }
}

function readDirectoryEntry(reader: ByteReader): Entry {
  const at = reader.position
  if (reader.u32('directory entry') !== CENTRAL_HEADER) {
    throw reader.error('file/damaged', 'expected a directory entry', at)
  }
  reader.take(4, 'versions')
  const flags = reader.u16('flags')
  const method = reader.u16('method')
  reader.take(4, 'time')
  const checksum = reader.u32('checksum')
  let compressedBytes = reader.u32('compressed size')
  let sizeBytes = reader.u32('size')
  const nameBytes = reader.u16('name length')
  const extraBytes = reader.u16('extra field length')
  const commentBytes = reader.u16('comment length')
  reader.take(8, 'attributes')
  let headerOffset = reader.u32('offset')
  const name = new TextDecoder().decode(reader.take(nameBytes, 'name'))
  const extra = new ByteReader('zip', reader.take(extraBytes, 'extra field'))
  reader.take(commentBytes, 'comment')
  while (extra.remaining >= 4) {
    const id = extra.u16('extra field id')
    const field = new ByteReader('zip', extra.take(extra.u16('extra field size'), 'extra field'))
    if (id !== 1) continue
    if (sizeBytes === 0xffff_ffff) sizeBytes = field.u64('size')
    if (compressedBytes === 0xffff_ffff) compressedBytes = field.u64('compressed size')
    if (headerOffset === 0xffff_ffff) headerOffset = field.u64('offset')
  }
  if (flags & 1) throw reader.error('file/unsupported', `entry "${name}" is encrypted`, at)
  return { name, method, checksum, compressedBytes, sizeBytes, headerOffset }
}

/** Entries that share bytes would let a small archive expand without end. */
function checkOverlap(entries: readonly Entry[], directoryOffset: number): void {
  let free = 0
  for (const { name, headerOffset, compressedBytes } of entries.toSorted(
    (a, b) => a.headerOffset - b.headerOffset,
  )) {
    const end = headerOffset + 30 + compressedBytes
    if (headerOffset < free || end > directoryOffset) {
      throw new SternaError(
        'file/damaged',
        `zip: entry "${name}", bytes ${headerOffset} to ${end}, overlaps another part`,
      )
    }
    free = end
  }
}

/** @param body the archive up to its directory */
function readEntry(body: Uint8Array, entry: Entry): Uint8Array {
  const where = `zip entry "${entry.name}"`
  const reader = new ByteReader('zip', body, entry.headerOffset)
  if (reader.u32('local header') !== LOCAL_HEADER) {
    throw reader.error('file/damaged', `expected the header of "${entry.name}"`, entry.headerOffset)
  }
  reader.take(22, 'local header')
  const nameBytes = reader.u16('name length')
  const extraBytes = reader.u16('extra field length')
  reader.take(nameBytes + extraBytes, 'name and extra field')
  const raw = reader.take(entry.compressedBytes, where)
  let content: Uint8Array
  if (entry.method === DEFLATED) {
    content = inflate(raw, entry.sizeBytes, where)
  } else if (entry.method === STORED) {
    content = raw
    if (raw.length !== entry.sizeBytes) {
      throw new SternaError(
        'file/damaged',
        `${where}: stored in ${raw.length} bytes, declared ${entry.sizeBytes}`,
      )
    }
  } else {
    throw new SternaError(
      'file/unsupported',
      `${where}: compression method ${entry.method}, known are 0 and 8`,
    )
  }
  checkCrc32(content, entry.checksum, where)
  return content
}
