/** The outermost layer of a `.sterna` file: magic, version, section table, checksums. */
import { SternaError } from '../errors.ts'
import { fileLimits } from '../limits.ts'
import { crc32 } from './crc32.ts'

/** 0x89 is no ASCII; CR LF and a lone LF show a transfer as text; 0x1A ends a listing on old systems. */
export const magic: readonly number[] = [0x89, 0x53, 0x54, 0x4e, 0x0d, 0x0a, 0x1a, 0x0a]
export const formatVersion = 1

/** Section kinds in the only order in which they may stand. */
export const sectionKinds = { tensors: 1, graph: 2, payload: 3, metadata: 4 } as const
export type SectionName = keyof typeof sectionKinds

/** A range of the file, in bytes from its start. */
export interface Section {
  readonly start: number
  readonly end: number
}

export interface Container {
  readonly headerBytes: number
  readonly tensors: Section
  readonly graph: Section
  readonly payload: Section
  readonly metadata: Section | undefined
}

export const fixedHeaderBytes = 16
export const sectionEntryBytes = 12

/** Checks everything that can be checked without knowing what the sections mean. */
export function readContainer(bytes: Uint8Array): Container {
  checkMagic(bytes)
  if (bytes.length < fixedHeaderBytes) throw truncated(fixedHeaderBytes, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = view.getUint16(8, true)
  if (version !== formatVersion) {
    throw new SternaError('file/unsupported', `header, byte 8: expected format version 1, found ${version}`, {
      hint: 'The file was written by a later Sterna, or is damaged.',
      detail: { offset: 8, version },
    })
  }
  const sectionCount = view.getUint16(10, true)
  if (sectionCount < 3 || sectionCount > 4) {
    throw damaged(10, `expected 3 or 4 sections, found ${sectionCount}`)
  }
  const tableEnd = fixedHeaderBytes + sectionEntryBytes * sectionCount
  const headerBytes = tableEnd + 4
  if (bytes.length < headerBytes) throw truncated(headerBytes, bytes.length)
  if (view.getUint32(tableEnd, true) !== crc32(bytes.subarray(0, tableEnd))) {
    throw damaged(tableEnd, 'the header does not match its checksum')
  }
  const fileBytes = view.getUint32(12, true)
  if (fileBytes > fileLimits.fileBytes) {
    throw new SternaError(
      'file/limit',
      `header, byte 12: expected at most ${fileLimits.fileBytes} bytes, found ${fileBytes}`,
    )
  }
  if (bytes.length < fileBytes) throw truncated(fileBytes, bytes.length)

  const sections: (Section | undefined)[] = []
  let start = headerBytes
  let lastKind = 0
  for (let index = 0; index < sectionCount; index++) {
    const entry = fixedHeaderBytes + sectionEntryBytes * index
    const kind = view.getUint32(entry, true)
    const end = start + view.getUint32(entry + 4, true)
    if (kind > sectionKinds.metadata) {
      throw new SternaError('file/unsupported', `header, byte ${entry}: section kind ${kind} is not known`)
    }
    if (kind <= lastKind)
      throw damaged(entry, `expected section kinds in ascending order, found ${kind} after ${lastKind}`)
    if (end > bytes.length)
      throw damaged(entry + 4, `section ${kind} ends at byte ${end}, beyond the file's ${bytes.length}`)
    if (view.getUint32(entry + 8, true) !== crc32(bytes.subarray(start, end))) {
      throw new SternaError(
        'file/damaged',
        `section ${kind}, bytes ${start} to ${end}: contents do not match the checksum`,
        {
          hint: 'The file was changed after it was written; copy or download it again.',
          detail: { offset: start },
        },
      )
    }
    sections[kind] = { start, end }
    start = end
    lastKind = kind
  }
  if (start !== bytes.length || start !== fileBytes) {
    throw damaged(
      12,
      `expected header and sections to fill ${fileBytes} bytes, found ${start} of ${bytes.length}`,
    )
  }
  const required = (name: SectionName): Section => {
    const section = sections[sectionKinds[name]]
    if (section === undefined) throw damaged(fixedHeaderBytes, `the ${name} section is missing`)
    return section
  }
  return {
    headerBytes,
    tensors: required('tensors'),
    graph: required('graph'),
    payload: required('payload'),
    metadata: sections[sectionKinds.metadata],
  }
}

function checkMagic(bytes: Uint8Array): void {
  const wrong = magic.findIndex((byte, index) => bytes[index] !== byte)
  if (wrong === -1) return
  if (wrong >= bytes.length && wrong > 0) throw truncated(fixedHeaderBytes, bytes.length)
  throw new SternaError('file/bad-magic', `byte ${wrong}: this is not a .sterna file`, {
    hint: wrong >= 4 ? 'It was probably changed by a transfer in text mode; copy it as binary.' : undefined,
    detail: { offset: wrong },
  })
}

function truncated(expected: number, found: number): SternaError {
  return new SternaError('file/truncated', `expected ${expected} bytes, found ${found}`, {
    hint: 'The file is incomplete; copy or download it again.',
    detail: { expected, found },
  })
}

function damaged(offset: number, message: string): SternaError {
  return new SternaError('file/damaged', `header, byte ${offset}: ${message}`, { detail: { offset } })
}
