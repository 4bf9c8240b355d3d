/** CRC-32 as in zlib, PNG and gzip: polynomial 0xEDB88320 reflected, initial value and final xor 0xFFFFFFFF. */
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

/** The checksum of `bytes` as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array): number {
  table ??= makeTable()
  let crc = 0xffff_ffff
  for (let index = 0; index < bytes.length; index++) {
    crc = (crc >>> 8) ^ table[(crc ^ bytes[index]!) & 0xff]!
  }
  return ~crc >>> 0
}
