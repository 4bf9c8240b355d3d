/** How sparse ternary weights are and how many bits their assignment needs. */
import type { TernaryWeight } from './types.ts'

export interface TernaryMeasure {
  readonly size: number
  readonly positives: number
  readonly zeros: number
  readonly negatives: number
  /** zeros / size; 0 for an empty weight. */
  readonly zeroFraction: number
  /** Order-0 entropy of the assignment in bits per weight; each layer is coded with its own frequencies. */
  readonly entropyBits: number
}

/** Of one layer. */
export function measureTernary({ assignment }: Pick<TernaryWeight, 'assignment'>): TernaryMeasure {
  let positives = 0
  let negatives = 0
  for (const sign of assignment) {
    if (sign > 0) positives++
    else if (sign < 0) negatives++
  }
  const size = assignment.length
  const zeros = size - positives - negatives
  const bits = [positives, zeros, negatives].reduce(
    (sum, count) => (count === 0 ? sum : sum + count * Math.log2(size / count)),
    0,
  )
  return summarize(size, positives, zeros, negatives, bits)
}

/** Of each layer and of all together. */
export function measureLayers(weights: ReadonlyMap<string, Pick<TernaryWeight, 'assignment'>>): {
  readonly layers: ReadonlyMap<string, TernaryMeasure>
  readonly total: TernaryMeasure
} {
  const layers = new Map([...weights].map(([name, weight]) => [name, measureTernary(weight)]))
  const add = (of: (measure: TernaryMeasure) => number) =>
    [...layers.values()].reduce((sum, measure) => sum + of(measure), 0)
  const total = summarize(
    add(measure => measure.size),
    add(measure => measure.positives),
    add(measure => measure.zeros),
    add(measure => measure.negatives),
    add(measure => measure.size * measure.entropyBits),
  )
  return { layers, total }
}

function summarize(
  size: number,
  positives: number,
  zeros: number,
  negatives: number,
  bits: number,
): TernaryMeasure {
  const per = (amount: number) => (size === 0 ? 0 : amount / size)
  return { size, positives, zeros, negatives, zeroFraction: per(zeros), entropyBits: per(bits) }
}
