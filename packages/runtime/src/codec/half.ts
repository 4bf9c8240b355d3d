/** IEEE 754 binary16 and back. */
const scratch = new DataView(new ArrayBuffer(4))

/** The number that 16 bits stand for; exact. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** The bits of the nearest binary16, ties to even; beyond 65504 infinity. `value` is rounded to binary32 first. */
export function floatToHalf(value: number): number {
  scratch.setFloat32(0, value)
  const bits = scratch.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fff_ffff
  if (magnitude > 0x7f80_0000) return sign | 0x7e00
  if (magnitude >= 0x477f_f000) return sign | 0x7c00
  if (magnitude < 0x3880_0000) {
    // Subnormal: multiples of 2^-24. Adding 0.5 makes binary32 round at exactly that place.
    scratch.setUint32(0, magnitude)
    scratch.setFloat32(0, scratch.getFloat32(0) + 0.5)
    return sign | (scratch.getUint32(0) - 0x3f00_0000)
  }
  const odd = (magnitude >>> 13) & 1
  return sign | ((magnitude - 0x3800_0000 + 0xfff + odd) >>> 13)
}

/** The nearest number that 16 bits can hold. */
export function roundToHalf(value: number): number {
  return halfToFloat(floatToHalf(value))
}
