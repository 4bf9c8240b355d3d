/** Recognises weights that are sums of several ternary terms: residual expansion (He et al., arXiv 1807.07948). */
import { mostTerms } from 'sterna-runtime/format'
import { expectF32, type Tensor } from '../core/index.ts'

/** Levels of the terms of a weight, whose masks are nested: term t is not 0 where the weight is its level or beyond. */
export interface TermLevels {
  /** What each term adds above 0, from the first on; 0 where only weights below have so many levels. */
  readonly positive: readonly number[]
  readonly negative: readonly number[]
}

/** Below this many weights, a few values are no pattern. */
const leastWeights = 256

/** The levels of a weight with two to four values above or below 0; undefined for any other. Equality is exact. */
export function detectTerms(weight: Tensor): TermLevels | undefined {
  const { data } = expectF32(weight, 'weight')
  if (data.length < leastWeights) return undefined
  const above = new Set<number>()
  const below = new Set<number>()
  for (const value of data) {
    if (!Number.isFinite(value)) return undefined
    if (value > 0) above.add(value)
    else if (value < 0) below.add(-value)
    if (Math.max(above.size, below.size) > mostTerms) return undefined
  }
  const count = Math.max(above.size, below.size)
  if (count < 2) return undefined
  return { positive: increments(above, count), negative: increments(below, count) }
}

function increments(values: ReadonlySet<number>, count: number): readonly number[] {
  const sorted = [...values].sort((a, b) => a - b)
  return Array.from({ length: count }, (_, term) =>
    term < sorted.length ? sorted[term]! - (sorted[term - 1] ?? 0) : 0,
  )
}
