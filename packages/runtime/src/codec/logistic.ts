/** The logistic function and its inverse in whole numbers, alike on every machine. */

/** 65536 / (1 + e^(−x)) for x = −8, −7.5 … 8, rounded. */
export const logisticSteps: readonly number[] = [
  22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11_955, 17_625, 24_743, 32_768, 40_793,
  47_911, 53_581, 57_724, 60_565, 62_428, 63_615, 64_357, 64_816, 65_097, 65_269, 65_374, 65_438, 65_476,
  65_500, 65_514,
]

/** 65536 / (1 + e^(−x / 256)), linear between the steps; −2047 ≤ x ≤ 2047. */
export function logistic(x: number): number {
  const step = (x + 2048) >> 7
  const part = (x + 2048) & 127
  return (logisticSteps[step]! * (128 - part) + logisticSteps[step + 1]! * part + 64) >> 7
}

let stretched: Int16Array | undefined

/** The inverse of `logistic`, by 12 bits: at p stands the smallest x from −2047 to 2047 with logistic(x) ≥ 16 p, or 2047. */
export function stretchTable(): Int16Array {
  if (stretched !== undefined) return stretched
  stretched = new Int16Array(4096)
  for (let p = 0, x = -2047; p < stretched.length; p++) {
    while (x < 2047 && logistic(x) < 16 * p) x++
    stretched[p] = x
  }
  return stretched
}
