/** Instructions on 64-bit floats, in which some kernels compute what they store as 32-bit ones. */
import { binary, byte, type Code, load, shuffle, simd, unary } from './instructions.ts'

const double = (value: number): string => byte(...new Uint8Array(new Float64Array([value]).buffer))

export const f64 = {
  const: (value: number): Code => byte(0x44) + double(value),
  add: binary(byte(0xa0)),
  sub: binary(byte(0xa1)),
  mul: binary(byte(0xa2)),
  div: binary(byte(0xa3)),
  squareRoot: unary(byte(0x9f)),
  lessThan: binary(byte(0x63)),
  fromInteger: unary(byte(0xb7)), // signed
  /** Of a 32-bit float. */
  promote: unary(byte(0xbb)),
  /** The nearest 32-bit float. */
  demote: unary(byte(0xb6)),
}

const promoteLow = unary(simd(0x5f))
const demote = unary(simd(0x5e))
const upperHalf = shuffle([8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15])
const lowerHalves = shuffle([0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23])
const loadHalf = load(simd(0x5d), 2)

/** Two of them. */
export const f64x2 = {
  splat: (value: number): Code => simd(0x0c) + double(value).repeat(2),
  /** Both lanes the same number, given as an f64. */
  splatOf: unary(simd(0x14)),
  lane: (value: Code, lane: number): Code => unary(simd(0x21) + byte(lane))(value),
  add: binary(simd(0xf0)),
  sub: binary(simd(0xf1)),
  mul: binary(simd(0xf2)),
  div: binary(simd(0xf3)),
  /** b < a ? b : a, so that a NaN in a stays. */
  smaller: binary(simd(0xf6)),
  /** a < b ? b : a, so that a NaN in a stays. */
  larger: binary(simd(0xf7)),
  /** The lower and the upper two of four 32-bit floats. */
  ofLow: promoteLow,
  ofHigh: (value: Code): Code => promoteLow(upperHalf(value, value)),
  /** Two 32-bit floats from memory. */
  loadFloats: (address: Code, offset = 0): Code => promoteLow(loadHalf(address, offset)),
  /** The nearest 32-bit floats, of two vectors. */
  toFloats: (low: Code, high: Code): Code => lowerHalves(demote(low), demote(high)),
}
