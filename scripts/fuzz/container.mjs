/** Takes `.sterna` files apart and puts them together with right checksums, whatever is in their sections. */
import { crc32, fixedHeaderBytes, magic, sectionEntryBytes } from '../../packages/runtime/dist/format.js'

/** @returns `{ kind, bytes }` of every section of a valid file */
export function sectionsOf(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const count = view.getUint16(10, true)
  let start = fixedHeaderBytes + sectionEntryBytes * count + 4
  return Array.from({ length: count }, (_, index) => {
    const entry = fixedHeaderBytes + sectionEntryBytes * index
    const end = start + view.getUint32(entry + 4, true)
    const bytes = file.slice(start, end)
    start = end
    return { kind: view.getUint32(entry, true), bytes }
  })
}

export function fileOf(sections) {
  const tableEnd = fixedHeaderBytes + sectionEntryBytes * sections.length
  const length = sections.reduce((sum, { bytes }) => sum + bytes.length, tableEnd + 4)
  const file = new Uint8Array(length)
  const view = new DataView(file.buffer)
  file.set(magic)
  view.setUint16(8, 1, true)
  view.setUint16(10, sections.length, true)
  view.setUint32(12, length, true)
  let start = tableEnd + 4
  for (const [index, { kind, bytes }] of sections.entries()) {
    const entry = fixedHeaderBytes + sectionEntryBytes * index
    view.setUint32(entry, kind, true)
    view.setUint32(entry + 4, bytes.length, true)
    view.setUint32(entry + 8, crc32(bytes), true)
    file.set(bytes, start)
    start += bytes.length
  }
  view.setUint32(tableEnd, crc32(file.subarray(0, tableEnd)), true)
  return file
}
