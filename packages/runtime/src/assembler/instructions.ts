/**
 * WebAssembly instructions as functions from operand code to code: `f32.add(get(a), get(b))` is the bytes
 * that leave a + b on the stack. Opcodes from the core specification, section 5.4.
 */

/** Bytes as characters, which a host joins faster than numbers, or a sequence of such. */
export type Code = string | readonly Code[]

/** The index of a parameter or local variable. */
export type Local = number & { readonly local: true }

/** The bytes of a sequence, one after the other. */
export function join(code: Code): string {
  if (typeof code === 'string') return code
  let joined = ''
  for (let i = 0; i < code.length; i++) joined += join(code[i]!)
  return joined
}

export const byte: (...values: readonly number[]) => string = String.fromCharCode

/** Unsigned LEB128. */
export function unsigned(value: number): string {
  if (value < 0x80) return byte(value)
  return byte((value & 0x7f) | 0x80) + unsigned(Math.floor(value / 0x80))
}

/** Signed LEB128 of a 32-bit integer. */
function signed(value: number): string {
  if (value >= -0x40 && value < 0x40) return byte(value & 0x7f)
  return byte((value & 0x7f) | 0x80) + signed(value >> 7)
}

const float = (value: number): string => byte(...new Uint8Array(new Float32Array([value]).buffer))

export const simd = (opcode: number): string => byte(0xfd) + unsigned(opcode)

export const unary = (opcode: string) => (value: Code) => join(value) + opcode
export const binary = (opcode: string) => (a: Code, b: Code) => join(a) + join(b) + opcode
/** @param align what the address is a multiple of: 2^align bytes */
export const load =
  (opcode: string, align: number) =>
  (address: Code, offset = 0) =>
    join(address) + opcode + byte(align) + unsigned(offset)
const store =
  (opcode: string, align: number) =>
  (address: Code, value: Code, offset = 0) =>
    join(address) + join(value) + opcode + byte(align) + unsigned(offset)
/** Bytes of two vectors, chosen by 16 numbers from 0 to 31. */
export const shuffle = (bytes: readonly number[]) => binary(simd(0x0d) + byte(...bytes))
const storeWord = store(simd(0x5a), 2)
const storeLow = store(simd(0x5b), 0)

export const get = (local: Local): Code => byte(0x20) + unsigned(local)
export const set = (local: Local, value: Code): Code => join(value) + byte(0x21) + unsigned(local)
/** local += bytes */
export const advance = (local: Local, by: Code): Code => set(local, i32.add(get(local), by))

export const i32 = {
  const: (value: number): Code => byte(0x41) + signed(value),
  add: binary(byte(0x6a)),
  sub: binary(byte(0x6b)),
  mul: binary(byte(0x6c)),
  and: binary(byte(0x71)),
  or: binary(byte(0x72)),
  xor: binary(byte(0x73)),
  shiftLeft: binary(byte(0x74)),
  /** Copies of the sign come in. */
  shiftRight: binary(byte(0x75)),
  /** Zeros come in. */
  shiftRightUnsigned: binary(byte(0x76)),
  leadingZeros: unary(byte(0x67)),
  eq: binary(byte(0x46)),
  lessThanSigned: binary(byte(0x48)),
  lessThan: binary(byte(0x49)), // unsigned
  atMost: binary(byte(0x4d)), // unsigned
  load: load(byte(0x28), 2),
  load8: load(byte(0x2d), 0), // zero-extended
  load16: load(byte(0x2f), 1), // zero-extended
  load16Signed: load(byte(0x2e), 1), // sign-extended
  load8Signed: load(byte(0x2c), 0), // sign-extended
  store: store(byte(0x36), 2),
  store16: store(byte(0x3b), 1),
  store8: store(byte(0x3a), 0),
}

export const i64 = {
  const: (value: number): Code => byte(0x42) + signed(value),
  mul: binary(byte(0x7e)),
  /** Zeros come in. */
  shiftRightUnsigned: binary(byte(0x88)),
  fromUnsigned: unary(byte(0xad)),
  /** The lower 32 bits. */
  lower: unary(byte(0xa7)),
  load: load(byte(0x29), 0),
  store: store(byte(0x37), 0),
}

export const f32 = {
  const: (value: number): Code => byte(0x43) + float(value),
  add: binary(byte(0x92)),
  sub: binary(byte(0x93)),
  mul: binary(byte(0x94)),
  lessThan: binary(byte(0x5d)),
  /** The larger one, or a NaN where either is one. */
  maximum: binary(byte(0x97)),
  fromInteger: unary(byte(0xb2)), // signed
  load: load(byte(0x2a), 2),
  store: store(byte(0x38), 2),
}

const everySecond = (first: number): readonly number[] =>
  [0, 8, 16, 24].flatMap(start => [0, 1, 2, 3].map(next => first + start + next))

/** Four floats. */
export const f32x4 = {
  load: load(simd(0x00), 2),
  /** All lanes the same number from memory. */
  loadSplat: load(simd(0x09), 2),
  store: store(simd(0x0b), 2),
  storeLane: (address: Code, value: Code, lane: number, offset = 0): Code =>
    storeWord(address, value, offset) + byte(lane),
  splat: (value: number): Code => simd(0x0c) + float(value).repeat(4),
  /** All lanes the same number, given as an f32. */
  splatOf: unary(simd(0x13)),
  lane: (value: Code, lane: number): Code => join(value) + simd(0x1f) + byte(lane),
  /** Lanes 0 and 2 of a, then of b. */
  evenLanes: shuffle(everySecond(0)),
  /** Lanes 1 and 3. */
  oddLanes: shuffle(everySecond(4)),
  add: binary(simd(0xe4)),
  sub: binary(simd(0xe5)),
  mul: binary(simd(0xe6)),
  div: binary(simd(0xe7)),
  /** Ones in the lanes where a < b; a NaN is not less than anything. */
  lessThan: binary(simd(0x43)),
  /** Ones in the lanes that are equal; a NaN equals nothing. */
  eq: binary(simd(0x41)),
  fromIntegers: unary(simd(0xfa)),
  /** b < a ? b : a, so that a NaN in a stays. */
  smaller: binary(simd(0xea)),
  /** a < b ? b : a, so that a NaN in a stays. */
  larger: binary(simd(0xeb)),
}

/** Sixteen bytes, whatever they are. */
export const v128 = {
  load: f32x4.load,
  store: f32x4.store,
  /** Four bytes, and zeros above. */
  loadWord: load(simd(0x5c), 0),
  /** The lower eight bytes. */
  storeHalf: (address: Code, value: Code, offset = 0): Code => storeLow(address, value, offset) + byte(0),
  storeWord: (address: Code, value: Code, offset = 0): Code => storeWord(address, value, offset) + byte(0),
  zero: simd(0x0c) + byte(0).repeat(16),
  /** The same sixteen bytes always. */
  constant: (bytes: readonly number[]): Code => simd(0x0c) + byte(...bytes),
  and: binary(simd(0x4e)),
  or: binary(simd(0x50)),
  /** Bits of a where the mask has ones, of b elsewhere. */
  choose: (a: Code, b: Code, mask: Code): Code => join(a) + join(b) + join(mask) + simd(0x52),
}

export const i8x16 = {
  splat: unary(simd(0x0f)),
  loadSplat: load(simd(0x07), 0),
  /** Of a, the bytes that the indices 0 to 15 in b name. No local as `a`: as `i16x8.multiplyRound`, to V8 version 12. */
  lookUp: binary(simd(0x0e)),
  add: binary(simd(0x6e)),
  larger: binary(simd(0x79)), // unsigned
  /** Bytes 0, 2, 4 … of a, then of b. */
  evenLanes: shuffle(Array.from({ length: 16 }, (_, i) => 2 * i)),
  /** Sixteen signed 16-bit numbers as unsigned bytes, saturating. */
  narrow: binary(simd(0x66)),
}

const interleaved = (first: number): readonly number[] =>
  [0, 2, 4, 6].flatMap(byte => [0, 16].flatMap(from => [first + byte + from, first + byte + from + 1]))

/** Eight 16-bit numbers. */
export const i16x8 = {
  splat: unary(simd(0x10)),
  loadSplat: load(simd(0x08), 1),
  add: binary(simd(0x8e)),
  addSaturate: binary(simd(0x8f)),
  sub: binary(simd(0x91)),
  smaller: binary(simd(0x96)), // signed
  larger: binary(simd(0x98)), // signed
  /**
   * (a · b + 2^14) >> 15, saturating. Pass a value that was computed or loaded just now, no local, as `a`: on a CPU without AVX the
   * first compiler of V8 (to version 13 at least) else writes over b before it reads it.
   */
  multiplyRound: binary(simd(0x82)),
  shiftLeft: binary(simd(0x8b)),
  /** Copies of the sign come in. */
  shiftRight: binary(simd(0x8c)),
  /** Zeros come in. */
  shiftRightUnsigned: binary(simd(0x8d)),
  /** The lower eight bytes, unsigned. */
  fromBytes: unary(simd(0x89)),
  /** The upper eight bytes, unsigned. */
  fromHighBytes: unary(simd(0x8a)),
  /** a0 b0 a1 b1 … of the lower or the upper four numbers. */
  interleaveLow: shuffle(interleaved(0)),
  interleaveHigh: shuffle(interleaved(8)),
  /** Sums of neighbouring unsigned bytes. */
  pairSums: unary(simd(0x7d)),
  narrow: binary(simd(0x85)), // two vectors of signed 32-bit numbers, saturating
}

/** Four 32-bit integers. */
export const i32x4 = {
  add: binary(simd(0xae)),
  sub: binary(simd(0xb1)),
  splat: unary(simd(0x11)),
  /** The lower four 16-bit numbers, unsigned. */
  fromShorts: unary(simd(0xa9)),
  /** Products of signed 16-bit numbers, those of neighbours added up. */
  dot: binary(simd(0xba)),
  /** The upper four 16-bit numbers, unsigned. */
  fromHighShorts: unary(simd(0xaa)),
  shiftLeft: binary(simd(0xab)),
  /** Copies of the sign come in. */
  shiftRight: binary(simd(0xac)),
  /** Sums of neighbouring unsigned 16-bit numbers. */
  pairSums: unary(simd(0x7f)),
  lane: (value: Code, lane: number): Code => join(value) + simd(0x1b) + byte(lane),
}

/** a where the condition holds, else b. */
export const select = (a: Code, b: Code, condition: Code): Code =>
  join(a) + join(b) + join(condition) + byte(0x1b)

export const when = (condition: Code, body: Code): Code =>
  join(condition) + byte(0x04, 0x40) + join(body) + byte(0x0b)

export const branch = (condition: Code, yes: Code, no: Code): Code =>
  join(condition) + byte(0x04, 0x40) + join(yes) + byte(0x05) + join(no) + byte(0x0b)

/** The body once, and again while the condition holds. */
export const doWhile = (body: Code, condition: Code): Code =>
  byte(0x03, 0x40) + join(body) + join(condition) + byte(0x0d, 0, 0x0b)

export const repeatWhile = (condition: Code, body: Code): Code => when(condition, doWhile(body, condition))

/** The function with this index, on these operands. */
export const call = (index: number, ...operands: readonly Code[]): Code =>
  join(operands) + byte(0x10) + unsigned(index)

/** Whole pieces of memory at once; sizes in bytes. */
export const memory = {
  copy: (target: Code, source: Code, size: Code): Code => join([target, source, size]) + byte(0xfc, 10, 0, 0),
  fill: (target: Code, value: Code, size: Code): Code => join([target, value, size]) + byte(0xfc, 11, 0),
  /** From `source` in a data segment. */
  init: (segment: number, target: Code, source: Code, size: Code): Code =>
    join([target, source, size]) + byte(0xfc, 8) + unsigned(segment) + byte(0),
  /** Says that the data segment is not read again. */
  drop: (segment: number): Code => byte(0xfc, 9) + unsigned(segment),
}
