/** Vector instructions that only the fully connected kernels on bytes need. */
import { type Code, unsigned } from '../instructions.ts'

const simd = (opcode: number): Code => [0xfd, unsigned(opcode)]
const unary =
  (opcode: number) =>
  (value: Code): Code => [value, simd(opcode)]
const binary =
  (opcode: number) =>
  (a: Code, b: Code): Code => [a, b, simd(opcode)]
const shift =
  (opcode: number) =>
  (value: Code, bits: number): Code => [value, [0x41, bits], simd(opcode)]

export const vector = {
  /** The same sixteen bytes always. */
  constant: (bytes: readonly number[]): Code => [simd(0x0c), bytes],
  and: binary(0x4e),
  storeLane32: (address: Code, value: Code): Code => [address, value, simd(0x5a), 0, 0, 0],
}

export const bytes16 = {
  loadSplat: (address: Code, offset: number): Code => [address, simd(0x07), 0, unsigned(offset)],
  /** Of a, the bytes that the indices 0 to 15 in b name. */
  lookUp: binary(0x0e),
  add: binary(0x6e),
  /** Sixteen signed 16-bit numbers as unsigned bytes, saturating. */
  narrow: binary(0x66),
}

export const shorts8 = {
  /** The lower eight bytes, zero-extended. */
  widenLow: unary(0x89),
  add: binary(0x8e),
  sub: binary(0x91),
  shiftLeft: shift(0x8b),
  /** Zeros come in. */
  shiftRight: shift(0x8d),
  /** Eight signed 32-bit numbers, saturating. */
  narrow: binary(0x85),
}

export const words4 = {
  /** The lower or upper four 16-bit numbers, zero-extended. */
  widenLow: unary(0xa9),
  widenHigh: unary(0xaa),
  add: binary(0xae),
  sub: binary(0xb1),
  shiftLeft: shift(0xab),
  /** Truncated, saturating; 0 of NaN. */
  fromFloats: unary(0xf8),
  toFloats: unary(0xfa),
}

export const nearestFloats = unary(0x6a)

export const scalar = {
  loadByte: (address: Code): Code => [address, 0x2d, 0, 0],
  loadShort: (address: Code, offset: number): Code => [address, 0x2f, 1, unsigned(offset)],
  storeWord: (address: Code, value: Code): Code => [address, value, 0x36, 2, 0],
}
