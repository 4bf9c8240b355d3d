/**
 * WebAssembly instructions as functions from operand code to code: `f32.add(get(a), get(b))` is the bytes
 * that leave a + b on the stack. Opcodes from the core specification, section 5.4.
 */

/** Nested bytes; written out when a function is defined. */
export type Code = number | Uint8Array | readonly Code[]

/** The index of a parameter or local variable. */
export type Local = number & { readonly local: true }

/** Unsigned LEB128. */
export function unsigned(value: number): Code {
  if (value < 0x80) return value
  return [(value & 0x7f) | 0x80, unsigned(Math.floor(value / 0x80))]
}

/** Signed LEB128 of a 32-bit integer. */
function signed(value: number): Code {
  if (value >= -0x40 && value < 0x40) return value & 0x7f
  return [(value & 0x7f) | 0x80, signed(value >> 7)]
}

const float = (value: number): Code => new Uint8Array(new Float32Array([value]).buffer)

/** Alignment (2^2 bytes) and constant offset of a memory access. */
const at = (offset: number): Code => [2, unsigned(offset)]
const binary =
  (...opcode: Code[]) =>
  (a: Code, b: Code): Code => [a, b, opcode]

const simd = (opcode: number): Code => [0xfd, unsigned(opcode)]

export const get = (local: Local): Code => [0x20, unsigned(local)]
export const set = (local: Local, value: Code): Code => [value, 0x21, unsigned(local)]
/** local += bytes */
export const advance = (local: Local, by: Code): Code => set(local, i32.add(get(local), by))

export const i32 = {
  const: (value: number): Code => [0x41, signed(value)],
  add: binary(0x6a),
  sub: binary(0x6b),
  mul: binary(0x6c),
  and: binary(0x71),
  or: binary(0x72),
  xor: binary(0x73),
  shiftLeft: binary(0x74),
  /** Copies of the sign come in. */
  shiftRight: binary(0x75),
  /** Zeros come in. */
  shiftRightUnsigned: binary(0x76),
  leadingZeros: (value: Code): Code => [value, 0x67],
  isZero: (value: Code): Code => [value, 0x45],
  eq: binary(0x46),
  lessThanSigned: binary(0x48),
  lessThan: binary(0x49), // unsigned
  atMost: binary(0x4d), // unsigned
  load: (address: Code, offset = 0): Code => [address, 0x28, at(offset)],
  load8: (address: Code, offset = 0): Code => [address, 0x2d, 0, unsigned(offset)], // zero-extended
  load16: (address: Code, offset = 0): Code => [address, 0x2f, 1, unsigned(offset)], // zero-extended
  load16Signed: (address: Code, offset = 0): Code => [address, 0x2e, 1, unsigned(offset)], // sign-extended
  load8Signed: (address: Code, offset = 0): Code => [address, 0x2c, 0, unsigned(offset)], // sign-extended
  store: (address: Code, value: Code, offset = 0): Code => [address, value, 0x36, at(offset)],
  store16: (address: Code, value: Code): Code => [address, value, 0x3b, 1, 0],
  store8: (address: Code, value: Code, offset = 0): Code => [address, value, 0x3a, 0, unsigned(offset)],
}

export const i64 = {
  load: (address: Code, offset = 0): Code => [address, 0x29, 0, unsigned(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [address, value, 0x37, 0, unsigned(offset)],
}

export const f32 = {
  const: (value: number): Code => [0x43, float(value)],
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  lessThan: binary(0x5d),
  fromInteger: (value: Code): Code => [value, 0xb2], // signed
  load: (address: Code, offset = 0): Code => [address, 0x2a, at(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [address, value, 0x38, at(offset)],
}

const everySecond = (first: number): Code =>
  [0, 8, 16, 24].flatMap(byte => [0, 1, 2, 3].map(next => first + byte + next))

/** Four floats. */
export const f32x4 = {
  load: (address: Code, offset = 0): Code => [address, simd(0x00), at(offset)],
  /** All lanes the same number from memory. */
  loadSplat: (address: Code, offset = 0): Code => [address, simd(0x09), at(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [address, value, simd(0x0b), at(offset)],
  storeLane: (address: Code, value: Code, lane: number, offset = 0): Code => [
    address,
    value,
    simd(0x5a),
    at(offset),
    lane,
  ],
  splat: (value: number): Code => [simd(0x0c), [0, 1, 2, 3].map(() => float(value))],
  /** All lanes the same number, given as an f32. */
  splatOf: (value: Code): Code => [value, simd(0x13)],
  lane: (value: Code, lane: number): Code => [value, simd(0x1f), lane],
  /** Lanes 0 and 2 of a, then of b. */
  evenLanes: (a: Code, b: Code): Code => [a, b, simd(0x0d), everySecond(0)],
  /** Lanes 1 and 3. */
  oddLanes: (a: Code, b: Code): Code => [a, b, simd(0x0d), everySecond(4)],
  add: binary(simd(0xe4)),
  sub: binary(simd(0xe5)),
  mul: binary(simd(0xe6)),
  /** Ones in the lanes that are equal; a NaN equals nothing. */
  eq: binary(simd(0x41)),
  fromIntegers: (value: Code): Code => [value, simd(0xfa)],
  /** b < a ? b : a, so that a NaN in a stays. */
  smaller: binary(simd(0xea)),
  /** a < b ? b : a, so that a NaN in a stays. */
  larger: binary(simd(0xeb)),
}

const shift =
  (opcode: number) =>
  (value: Code, bits: Code): Code => [value, bits, simd(opcode)]

/** Sixteen bytes, whatever they are. */
export const v128 = {
  load: f32x4.load,
  store: f32x4.store,
  /** Four bytes, and zeros above. */
  loadWord: (address: Code): Code => [address, simd(0x5c), 0, 0],
  /** The lower eight bytes. */
  storeHalf: (address: Code, value: Code, offset = 0): Code => [
    address,
    value,
    simd(0x5b),
    0,
    unsigned(offset),
    0,
  ],
  storeWord: (address: Code, value: Code, offset = 0): Code => [
    address,
    value,
    simd(0x5a),
    0,
    unsigned(offset),
    0,
  ],
  zero: [simd(0x0c), new Uint8Array(16)] as Code,
  /** The same sixteen bytes always. */
  constant: (bytes: readonly number[]): Code => [simd(0x0c), bytes],
  and: binary(simd(0x4e)),
  or: binary(simd(0x50)),
  /** Bits of a where the mask has ones, of b elsewhere. */
  choose: (a: Code, b: Code, mask: Code): Code => [a, b, mask, simd(0x52)],
}

export const i8x16 = {
  splat: (value: Code): Code => [value, simd(0x0f)],
  loadSplat: (address: Code, offset = 0): Code => [address, simd(0x07), 0, unsigned(offset)],
  /** Of a, the bytes that the indices 0 to 15 in b name. */
  lookUp: binary(simd(0x0e)),
  add: binary(simd(0x6e)),
  larger: binary(simd(0x79)), // unsigned
  /** Bytes 0, 2, 4 … of a, then of b. */
  evenLanes: (a: Code, b: Code): Code => [a, b, simd(0x0d), Array.from({ length: 16 }, (_, i) => 2 * i)],
  /** Sixteen signed 16-bit numbers as unsigned bytes, saturating. */
  narrow: binary(simd(0x66)),
}

const interleaved = (first: number): Code =>
  [0, 2, 4, 6].flatMap(byte => [0, 16].flatMap(from => [first + byte + from, first + byte + from + 1]))

/** Eight 16-bit numbers. */
export const i16x8 = {
  splat: (value: Code): Code => [value, simd(0x10)],
  loadSplat: (address: Code, offset = 0): Code => [address, simd(0x08), 1, unsigned(offset)],
  add: binary(simd(0x8e)),
  addSaturate: binary(simd(0x8f)),
  sub: binary(simd(0x91)),
  smaller: binary(simd(0x96)), // signed
  larger: binary(simd(0x98)), // signed
  /** (a · b + 2^14) >> 15, saturating. */
  multiplyRound: binary(simd(0x82)),
  shiftLeft: shift(0x8b),
  /** Copies of the sign come in. */
  shiftRight: shift(0x8c),
  /** Zeros come in. */
  shiftRightUnsigned: shift(0x8d),
  /** The lower eight bytes, unsigned. */
  fromBytes: (value: Code): Code => [value, simd(0x89)],
  /** The upper eight bytes, unsigned. */
  fromHighBytes: (value: Code): Code => [value, simd(0x8a)],
  /** a0 b0 a1 b1 … of the lower or the upper four numbers. */
  interleaveLow: (a: Code, b: Code): Code => [a, b, simd(0x0d), interleaved(0)],
  interleaveHigh: (a: Code, b: Code): Code => [a, b, simd(0x0d), interleaved(8)],
  /** Sums of neighbouring unsigned bytes. */
  pairSums: (value: Code): Code => [value, simd(0x7d)],
  narrow: binary(simd(0x85)), // two vectors of signed 32-bit numbers, saturating
}

/** Four 32-bit integers. */
export const i32x4 = {
  add: binary(simd(0xae)),
  sub: binary(simd(0xb1)),
  splat: (value: Code): Code => [value, simd(0x11)],
  /** The lower four 16-bit numbers, unsigned. */
  fromShorts: (value: Code): Code => [value, simd(0xa9)],
  /** Products of signed 16-bit numbers, those of neighbours added up. */
  dot: binary(simd(0xba)),
  /** The upper four 16-bit numbers, unsigned. */
  fromHighShorts: (value: Code): Code => [value, simd(0xaa)],
  shiftLeft: shift(0xab),
  /** Sums of neighbouring unsigned 16-bit numbers. */
  pairSums: (value: Code): Code => [value, simd(0x7f)],
  lane: (value: Code, lane: number): Code => [value, simd(0x1b), lane],
}

/** a where the condition holds, else b. */
export const select = (a: Code, b: Code, condition: Code): Code => [a, b, condition, 0x1b]

export const when = (condition: Code, body: Code): Code => [condition, 0x04, 0x40, body, 0x0b]

export const branch = (condition: Code, yes: Code, no: Code): Code => [
  condition,
  [0x04, 0x40],
  yes,
  0x05,
  no,
  0x0b,
]

/** The body once, and again while the condition holds. */
export const doWhile = (body: Code, condition: Code): Code => [[0x03, 0x40], body, condition, [0x0d, 0, 0x0b]]

export const repeatWhile = (condition: Code, body: Code): Code => when(condition, doWhile(body, condition))
