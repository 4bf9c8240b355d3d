/** Chooses how a sum of ternary terms lies in the file. */
import type { TermsTensor, TernaryTensor } from 'sterna-runtime'
import { applyFactors, halfToFloat, sumOf } from 'sterna-runtime/format'
import type { Tensor } from '../core/index.ts'
import { f32ToF16Bits } from '../formats/index.ts'
import type { TermLevels } from './detect-terms.ts'
import { balanced } from './store-tensor.ts'

/**
 * The terms of `weight`, which holds sums of `levels` × `scale`; the scale is what a folded batch norm multiplied each
 * filter with, with sign, and shared by the terms.
 */
export function storeTerms(
  weight: Tensor<'f32'>,
  { positive, negative }: TermLevels,
  scale?: ArrayLike<number>,
): TermsTensor {
  const { shape, data } = weight
  const perFilter = data.length / (shape[0] ?? 1)
  // From where on a weight, before it was scaled, has each term; beyond everything where the term has no level.
  const bounds = [positive, negative].map(steps => {
    let sum = 0
    return steps.map(step => {
      sum += step
      return step === 0 ? Number.POSITIVE_INFINITY : sum - step / 2
    })
  })
  const assignments = positive.map(() => new Int8Array(data.length))
  for (let index = 0; index < data.length; index++) {
    const factor = scale?.[Math.floor(index / perFilter)] ?? 1
    const level = factor === 0 ? 0 : data[index]! / factor
    const reached = bounds[level > 0 ? 0 : 1]!
    for (const [term, assignment] of assignments.entries()) {
      if (Math.abs(level) >= reached[term]!) assignment[index] = Math.sign(data[index]!)
    }
  }
  const first = scale && balanced(positive[0]!, negative[0]!, Array.from(scale))
  const larger = Math.max(positive[0]!, negative[0]!)
  const unit = first === undefined ? 1 : larger / Math.max(first.positive, first.negative)
  const terms = assignments.map((assignment, term): TernaryTensor => {
    const [p, n] = [half(positive[term]! / unit), half(negative[term]! / unit)]
    if (first === undefined) {
      const magnitudes = { positive: Float32Array.of(p), negative: Float32Array.of(n) }
      return { kind: 'ternary', shape, assignment, ...magnitudes }
    }
    return { kind: 'ternary', shape, assignment, ...applyFactors({ ...first, positive: p, negative: n }) }
  })
  return sumOf(terms) as TermsTensor
}

function half(value: number): number {
  return halfToFloat(f32ToF16Bits(value))
}
