/** The outermost layer of a `.sterna` file: magic, version, section table, checksums. */
import { SternaError } from '../errors.ts'
import { fileLimits } from '../limits.ts'
import { crc32 } from './crc32.ts'

/** 0x89 is no ASCII; CR LF and a lone LF show a transfer as text; 0x1A ends a listing on old systems. */
export const magic: readonly number[] = [0x89, 0x53, 0x54, 0x4e, 0x0d, 0x0a, 0x1a, 0x0a]
export const formatVersion = 1

/** Section kinds in the only order in which they may stand. */
export const sectionKinds = {
  tensors: 1,
  graph: 2,
  payload: 3,
  metadata: 4,
  activations: 5,
  preview: 6,
} as const
export type SectionName = keyof typeof sectionKinds

const requiredSections = ['tensors', 'graph', 'payload'] as const satisfies readonly SectionName[]
const mostSections = 6

/** A range of the file, in bytes from its start. */
export interface Section {
  readonly start: number
  readonly end: number
}

interface StoredSection extends Section {
  readonly crc: number
}

export interface Container extends Readonly<Partial<Record<SectionName, StoredSection>>> {
  readonly headerBytes: number
  readonly fileBytes: number
  readonly tensors: StoredSection
  readonly graph: StoredSection
  readonly payload: StoredSection
}

export const fixedHeaderBytes = 16
export const sectionEntryBytes = 12

/** Reads the header: all that can be checked before the sections have arrived. `needs` waits for bytes. */
export function* readContainer(
  file: { readonly bytes: Uint8Array },
  needs: (end: number) => Generator<number, void>,
): Generator<number, Container> {
  yield* needs(1)
  checkMagic(file.bytes)
  yield* needs(fixedHeaderBytes)
  checkMagic(file.bytes)
  const fixed = viewOf(file.bytes)
  const version = fixed.getUint16(8, true)
  if (version !== formatVersion) {
    throw new SternaError('file/unsupported', `header, byte 8: expected format version 1, found ${version}`, {
      hint: 'The file was written by a later Sterna, or is damaged.',
      detail: { offset: 8, version },
    })
  }
  const sectionCount = fixed.getUint16(10, true)
  if (sectionCount < requiredSections.length || sectionCount > mostSections) {
    throw damaged(
      10,
      `expected ${requiredSections.length} to ${mostSections} sections, found ${sectionCount}`,
    )
  }
  const tableEnd = fixedHeaderBytes + sectionEntryBytes * sectionCount
  const headerBytes = tableEnd + 4
  yield* needs(headerBytes)
  const view = viewOf(file.bytes)
  if (view.getUint32(tableEnd, true) !== crc32(file.bytes.subarray(0, tableEnd))) {
    throw damaged(tableEnd, 'the header does not match its checksum')
  }
  const fileBytes = view.getUint32(12, true)
  if (fileBytes > fileLimits.fileBytes) {
    throw new SternaError(
      'file/limit',
      `header, byte 12: expected at most ${fileLimits.fileBytes} bytes, found ${fileBytes}`,
    )
  }
  const sections: Partial<Record<SectionName, StoredSection>> = {}
  let start = headerBytes
  let lastKind = 0
  for (let entry = fixedHeaderBytes; entry < tableEnd; entry += sectionEntryBytes) {
    const kind = view.getUint32(entry, true)
    const end = start + view.getUint32(entry + 4, true)
    if (kind <= lastKind)
      throw damaged(entry, `expected section kinds in ascending order, found ${kind} after ${lastKind}`)
    const name = nameOfKind(kind)
    if (name === undefined) {
      throw new SternaError('file/unsupported', `header, byte ${entry}: section kind ${kind} is not known`)
    }
    if (end > fileBytes)
      throw damaged(entry + 4, `section ${kind} ends at byte ${end}, beyond the file's ${fileBytes}`)
    sections[name] = { start, end, crc: view.getUint32(entry + 8, true) }
    start = end
    lastKind = kind
  }
  if (start !== fileBytes) {
    throw damaged(12, `expected header and sections to fill ${fileBytes} bytes, found ${start}`)
  }
  const required = (name: (typeof requiredSections)[number]): StoredSection => {
    const section = sections[name]
    if (section === undefined) throw damaged(fixedHeaderBytes, `the ${name} section is missing`)
    return section
  }
  return {
    ...sections,
    headerBytes,
    fileBytes,
    tensors: required('tensors'),
    graph: required('graph'),
    payload: required('payload'),
  }
}

/** Throws 'file/damaged' where a section that has arrived is not what was written. */
export function checkSection(bytes: Uint8Array, name: SectionName, { start, end, crc }: StoredSection): void {
  if (crc === crc32(bytes.subarray(start, end))) return
  throw new SternaError(
    'file/damaged',
    `${name} section, bytes ${start} to ${end}: contents do not match the checksum`,
    {
      hint: 'The file was changed after it was written; copy or download it again.',
      detail: { offset: start },
    },
  )
}

export function truncated(expected: number, found: number): SternaError {
  return new SternaError('file/truncated', `expected ${expected} bytes, found ${found}`, {
    hint: 'The file is incomplete; copy or download it again.',
    detail: { expected, found },
  })
}

export function damaged(offset: number, message: string): SternaError {
  return new SternaError('file/damaged', `header, byte ${offset}: ${message}`, { detail: { offset } })
}

function nameOfKind(kind: number): SectionName | undefined {
  return (Object.keys(sectionKinds) as SectionName[]).find(name => sectionKinds[name] === kind)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function checkMagic(bytes: Uint8Array): void {
  const wrong = magic.findIndex((byte, index) => bytes[index] !== byte)
  if (wrong === -1) return
  // A beginning of the magic is a file cut short, or one of which more is to come.
  if (wrong >= bytes.length && wrong > 0) return
  throw new SternaError('file/bad-magic', `byte ${wrong}: this is not a .sterna file`, {
    hint: wrong >= 4 ? 'It was probably changed by a transfer in text mode; copy it as binary.' : undefined,
    detail: { offset: wrong },
  })
}
