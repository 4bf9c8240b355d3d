/** CRC-32 as in zlib, PNG and gzip: polynomial 0xEDB88320 reflected, initial value and final xor 0xFFFFFFFF. */

import { at, tablesAt } from '../codec/wasm/layout.ts'
import { openWorkspace } from '../codec/wasm/workspace.ts'

let table: Uint32Array | undefined

function makeTable(): Uint32Array {
  const made = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb8_8320 : 0)
    made[byte] = rest
  }
  return made
}

/** Fewer are not worth a copy into the workspace. */
const fewBytes = 1024
const tableAt = tablesAt
const bytesAt = tableAt + 1024
const pieceBytes = 0x1_0000 - bytesAt

/** The checksum of `bytes` as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array): number {
  table ??= makeTable()
  const workspace = bytes.length < fewBytes ? undefined : openWorkspace(bytesAt + pieceBytes)
  if (workspace === undefined) return plainCrc32(bytes, table)
  const words = new Uint32Array(workspace.memory.buffer)
  const memory = new Uint8Array(workspace.memory.buffer)
  words.set(table, tableAt / 4)
  words[at('crc') / 4] = 0xffff_ffff
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const piece = bytes.subarray(start, start + pieceBytes)
    memory.set(piece, bytesAt)
    workspace.addToChecksum(bytesAt, bytesAt + piece.length, tableAt)
  }
  return ~words[at('crc') / 4]! >>> 0
}

function plainCrc32(bytes: Uint8Array, table: Uint32Array): number {
  let crc = 0xffff_ffff
  for (let index = 0; index < bytes.length; index++) {
    crc = (crc >>> 8) ^ table[(crc ^ bytes[index]!) & 0xff]!
  }
  return ~crc >>> 0
}
