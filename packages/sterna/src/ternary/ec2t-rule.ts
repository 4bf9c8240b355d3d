/**
 * EC2T's assignment rule in plain arithmetic: what the state starts from, and the reference for the graph.
 * Equations are those of D. Becking's thesis on EC2T (arXiv 2004.01077), chapter 4.
 */
import { type Ec2tOptions, layerEntropyWeight } from './ec2t-options.ts'
import { smallestThreshold, towardsZero } from './passes.ts'
import type { LayerContext } from './types.ts'

/** One number for each sign: w_p and w_n, or what belongs to them. */
export interface Signed {
  readonly positive: number
  readonly negative: number
}

/** Probabilities of −w_n, 0 and w_p. */
export interface Probabilities extends Signed {
  readonly zero: number
}

/** The largest positive weight and the largest −w; 0 where a layer has no weight of that sign. */
export function extremesOf(weights: Float32Array): Signed {
  let positive = 0
  let negative = 0
  for (const w of weights) {
    if (w > positive) positive = w
    if (-w > negative) negative = -w
  }
  return { positive, negative }
}

/** s × the extremes, eq. 4.16. */
export function initialMagnitudes(weights: Float32Array, initialScale: number): Signed {
  const { positive, negative } = extremesOf(weights)
  return { positive: Math.fround(initialScale * positive), negative: Math.fround(initialScale * negative) }
}

/** The unbiased standard deviation; 0 for fewer than two weights. */
export function standardDeviation(weights: Float32Array): number {
  const count = weights.length
  if (count < 2) return 0
  const mean = weights.reduce((sum, w) => sum + w, 0) / count
  return Math.sqrt(weights.reduce((sum, w) => sum + (w - mean) ** 2, 0) / (count - 1))
}

/**
 * How often each level is the nearest one, at least once each, as probabilities with P_0 ≥ the floor:
 * what the floor takes is taken from both signs in proportion.
 */
export function probabilitiesOf(
  weights: Float32Array,
  magnitudes: Signed,
  { probabilityFloor, publishedFloor }: Pick<Ec2tOptions, 'probabilityFloor' | 'publishedFloor'>,
): Probabilities {
  const upper = Math.max(magnitudes.positive / 2, smallestThreshold)
  const lower = -Math.max(magnitudes.negative / 2, smallestThreshold)
  const counts = { positive: 0, negative: 0, zero: 0 }
  for (const w of weights) counts[w <= lower ? 'negative' : w > upper ? 'positive' : 'zero']++
  const share = (count: number) => Math.max(1, count) / Math.max(1, weights.length)
  const positive = share(counts.positive)
  const negative = share(counts.negative)
  const zero = share(counts.zero)
  if (publishedFloor) return publishedProbabilities({ positive, negative, zero }, probabilityFloor)
  const kept = Math.min(1, (1 - probabilityFloor) / (positive + negative))
  return { positive: positive * kept, negative: negative * kept, zero: Math.max(zero, probabilityFloor) }
}

/** The floor as the authors' code applies it: the share of + is taken after − has already shrunk. */
function publishedProbabilities({ positive, negative, zero }: Probabilities, floor: number): Probabilities {
  const excess = Math.max(0, floor - zero)
  const lessNegative = negative - (excess * negative) / (positive + negative)
  const lessPositive = positive - (excess * positive) / (lessNegative + positive)
  return { positive: lessPositive, negative: lessNegative, zero: zero + excess }
}

/**
 * λ_max of each sign, eq. 4.12 and 4.13: the entropy multiplier at which its extreme weight goes to zero.
 * Infinite where a sign sets no bound: it has no weight nearest to its level, or costs no more bits than 0.
 */
export function entropyLimits(extremes: Signed, magnitudes: Signed, probabilities: Probabilities): Signed {
  const limit = (side: keyof Signed) => {
    const gain = magnitudes[side] * (2 * extremes[side] - magnitudes[side]) // w² − (w − m)²
    const bits = Math.log2(probabilities.zero / probabilities[side]) // I − I_0
    return gain > 0 && bits > 0 ? gain / bits : Number.POSITIVE_INFINITY
  }
  return { positive: limit('positive'), negative: limit('negative') }
}

/**
 * Δ_p and Δ_n: w becomes +w_p where w > Δ_p and −w_n where w ≤ −Δ_n (a tie goes to the earlier of −, 0, +).
 * The cost C = (w − m)² − λ log2 P of eq. 4.4 compared with that of zero gives Δ = m/2 + λ(I − I_0)/2m; with
 * λ = γδ·λ_max this is a point between m/2 and the extreme weight.
 */
export function decisionThresholds(
  extremes: Signed,
  magnitudes: Signed,
  limits: Signed,
  entropyWeight: number, // γ·δ_l
): Signed {
  const lambdaMax = Math.min(limits.positive, limits.negative)
  const threshold = (side: keyof Signed) => {
    const share = lambdaMax === Number.POSITIVE_INFINITY ? 0 : (entropyWeight * lambdaMax) / limits[side]
    const between = (1 - share) * (magnitudes[side] / 2) + share * extremes[side]
    return Math.max(Math.fround(between), smallestThreshold)
  }
  return { positive: threshold('positive'), negative: threshold('negative') }
}

/** The bounds [upper, lower] for strict comparison, w > upper and w < lower, from the latent weight. */
export function boundsOf(
  weights: Float32Array,
  magnitudes: Signed,
  options: Ec2tOptions,
  layer: LayerContext,
): Float32Array {
  const extremes = extremesOf(weights)
  const limits = entropyLimits(extremes, magnitudes, probabilitiesOf(weights, magnitudes, options))
  const thresholds = decisionThresholds(extremes, magnitudes, limits, layerEntropyWeight(options, layer))
  return Float32Array.of(thresholds.positive, -thresholds.negative * towardsZero)
}
