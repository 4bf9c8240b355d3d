/** What a range of an activation may be. */
import type { ActivationRange } from './types.ts'

/** The smallest normal float32: the reciprocal of any scale from here on is finite. */
const smallestScale = 2 ** -126

/** What is wrong with `range`, or undefined. */
export function activationProblem({ scale, zero, max }: ActivationRange): string | undefined {
  if (!(scale >= smallestScale && scale < Number.POSITIVE_INFINITY) || scale !== Math.fround(scale)) {
    return `expected the scale to be a normal float32 above 0, found ${scale}`
  }
  if (!Number.isInteger(max) || max < 1 || max > 255) {
    return `expected the largest byte to be 1 to 255, found ${max}`
  }
  if (!Number.isInteger(zero) || zero < 0 || zero > max) {
    return `expected the byte of 0 to be 0 to ${max}, found ${zero}`
  }
  return undefined
}
