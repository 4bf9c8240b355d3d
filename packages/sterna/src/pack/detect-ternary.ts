/** Recognises weights that are ternary already: published checkpoints hold them as float32. */
import { expectF32, type Tensor } from '../core/index.ts'
import type { TernaryWeight } from '../ternary/types.ts'

/**
 * The assignment and the two magnitudes of a tensor that holds at most three values {−w_n, 0, w_p}, or
 * undefined. Equality is exact; a level that does not occur has the magnitude 0.
 */
export function detectTernary(weight: Tensor): TernaryWeight | undefined {
  const { data } = expectF32(weight, 'weight')
  const assignment = new Int8Array(data.length)
  let positive = 0
  let negative = 0
  for (let index = 0; index < data.length; index++) {
    const value = data[index]!
    if (value > 0) {
      if (positive === 0) positive = value
      if (value !== positive) return undefined
      assignment[index] = 1
    } else if (value < 0) {
      if (negative === 0) negative = -value
      if (-value !== negative) return undefined
      assignment[index] = -1
    } else if (Number.isNaN(value)) {
      return undefined
    }
  }
  return {
    shape: weight.shape,
    assignment,
    positive: Float32Array.of(positive),
    negative: Float32Array.of(negative),
  }
}
