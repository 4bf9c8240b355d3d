/** IEEE 754 half precision and bfloat16 as raw bits in 16-bit words. */
import { halfToFloat } from 'sterna-runtime/format'

const scratchF32 = new Float32Array(1)
const scratchU32 = new Uint32Array(scratchF32.buffer)

/** The half-precision bits nearest to a float32 value, ties to even; beyond 65519.99… is infinity. */
export function f32ToF16Bits(value: number): number {
  scratchF32[0] = value
  const bits = scratchU32[0]!
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fff_ffff
  if (magnitude > 0x7f80_0000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x01ff)
  if (magnitude >= 0x477f_f000) return sign | 0x7c00
  if (magnitude >= 0x3880_0000) {
    const rebiased = magnitude - 0x3800_0000
    return sign | ((rebiased + 0x0fff + ((rebiased >>> 13) & 1)) >>> 13)
  }
  if (magnitude <= 0x3300_0000) return sign
  // Subnormal: the significand counted in units of 2⁻²⁴.
  const significand = (magnitude & 0x7f_ffff) | 0x80_0000
  const shift = 126 - (magnitude >>> 23)
  const half = 1 << (shift - 1)
  const quotient = significand >>> shift
  const rest = significand & ((1 << shift) - 1)
  const up = rest > half || (rest === half && (quotient & 1) === 1)
  return sign | (quotient + (up ? 1 : 0))
}

/** Half-precision bits → float32 values, exactly. */
export function f16ToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) result[i] = halfToFloat(bits[i]!)
  return result
}

/** bfloat16 bits → float32 values, exactly: they are the upper half of a float32. */
export function bf16ToF32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16
  return new Float32Array(words.buffer)
}
