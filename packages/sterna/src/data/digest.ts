/**
 * A fast 64-bit fingerprint of large arrays, made of four 32-bit multiply-rotate lanes in the manner of
 * xxHash. It tells data sets apart; it is no defence against somebody who wants a collision.
 */

const MULTIPLIER_A = 0x9e3779b1 | 0
const MULTIPLIER_B = 0x85ebca77 | 0

function mix(word: number): number {
  let z = word
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return z ^ (z >>> 15)
}

function round(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, MULTIPLIER_B)) | 0
  return Math.imul((sum << 13) | (sum >>> 19), MULTIPLIER_A)
}

/** 16 hex digits that depend on every byte, on the order of the parts and on where each part ends. */
export function digestBytes(parts: readonly Uint8Array[]): string {
  let a = 1
  let b = 2
  let c = 3
  let d = 4
  for (const bytes of parts) {
    const blocks = Math.floor(bytes.length / 16)
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, blocks * 4)
    for (let i = 0; i < words.length; i += 4) {
      a = round(a, words[i]!)
      b = round(b, words[i + 1]!)
      c = round(c, words[i + 2]!)
      d = round(d, words[i + 3]!)
    }
    for (let i = blocks * 16; i < bytes.length; i++) a = mix(a ^ bytes[i]!)
    b = mix(b ^ bytes.length)
    a = Math.imul(a ^ mix(c), MULTIPLIER_B)
    c = Math.imul(c ^ mix(b), MULTIPLIER_B)
    b = Math.imul(b ^ mix(d), MULTIPLIER_B)
    d = Math.imul(d ^ mix(a), MULTIPLIER_B)
  }
  const high = mix(a ^ mix(b + 0x1234567))
  const low = mix(c ^ mix(d ^ high))
  return hex(high) + hex(low)
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
