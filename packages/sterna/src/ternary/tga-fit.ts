/**
 * What TGA computes from a latent weight w of n elements and its threshold δ, as graph and in plain arithmetic:
 *
 *   μ = mean(w), σ = std(w) (unbiased), Δ = min(|δ|, 3σ), a = Δ/σ
 *   λ = φ(a) / (1 − Φ(a)), λ' = λ(λ − a)
 *   S = μ + σλ, the mean of N(μ, σ²) beyond μ + Δ
 *   ∂S/∂μ = 1, ∂S/∂σ = λ − aλ', ∂S/∂Δ = λ'
 */
import type { GraphBuilder, Value } from '../graph/index.ts'
import { inverseMills, inverseMillsOf } from './gaussian-tail.ts'
import { constants, dot, largestFloat32, meanOf, smallestThreshold } from './passes.ts'

/** Where each number lies in the state tensor. */
export const fitIndex = {
  /** +1 above μ + Δ, −1 below μ − Δ. */
  upper: 0,
  lower: 1,
  /** S, at least 2⁻¹⁰⁰: a mean far below 0 makes it negative otherwise. */
  scale: 2,
  mean: 3,
  /** dS/dw = meanSlope + spreadSlope · (w − μ); 0 where S is held. */
  meanSlope: 4,
  spreadSlope: 5,
  /** dS/dδ = λ' · sign δ while |δ| < 3σ, else 0. */
  thresholdSlope: 6,
  count: 7,
} as const

/** Δ never exceeds this many standard deviations. */
const spreadLimit = 3

/** Below it a standard deviation counts as zero; its square is still a normal float32. */
const smallestDeviation = 2 ** -60

export function fitOf(data: Float32Array, threshold: number): number[] {
  const count = Math.max(1, data.length)
  const mean = data.reduce((sum, w) => sum + w, 0) / count
  const squares = data.reduce((sum, w) => sum + (w - mean) ** 2, 0)
  const deviation = Math.max(Math.sqrt(squares / Math.max(1, count - 1)), smallestDeviation)
  const limit = spreadLimit * deviation
  const delta = Math.min(Math.abs(threshold), limit)
  const a = delta / deviation
  const tail = inverseMills(a)
  const tailSlope = tail * (tail - a)
  const scale = mean + deviation * tail
  const isFree = scale > smallestThreshold ? 1 : 0
  const spreadSlope = (tail - a * tailSlope) / (Math.max(1, count - 1) * deviation)
  return [
    within(awayFromZero(mean + delta, 1)),
    within(awayFromZero(mean - delta, -1)),
    within(Math.max(scale, smallestThreshold)),
    mean,
    isFree / count,
    isFree * spreadSlope,
    isFree * (Math.abs(threshold) < limit ? Math.sign(threshold) * tailSlope : 0),
  ]
}

/** w is a matrix, the threshold []. */
export function fitFrom(b: GraphBuilder, w: Value, threshold: Value): Value {
  const [rows, columns] = w.shape as readonly [number, number]
  const count = Math.max(1, rows * columns)
  const degrees = Math.max(1, count - 1)
  const single = (value: Value) => b.reshape(value, [1])
  const delta0 = single(threshold)
  const mean = single(meanOf(b, w, 'layer'))
  const centred = b.sub(w, mean)
  const squares = b.min(single(dot(b, centred, centred)), largestFloat32)
  const deviation = b.max(b.sqrt(b.mul(squares, 1 / degrees)), smallestDeviation)
  const limit = b.mul(deviation, spreadLimit)
  const size = b.abs(delta0)
  const delta = b.min(size, limit)
  const a = b.div(delta, deviation)
  const tail = inverseMillsOf(b, a)
  const tailSlope = b.mul(tail, b.sub(tail, a))
  const scale = b.add(mean, b.mul(deviation, tail))
  const isFree = b.isPositive(b.sub(scale, smallestThreshold))
  const spreadSlope = b.div(b.sub(tail, b.mul(a, tailSlope)), b.mul(deviation, degrees))
  const sign = b.sub(b.isPositive(delta0), b.isPositive(b.neg(delta0)))
  const thresholdSlope = b.mul(b.mul(tailSlope, sign), b.isPositive(b.sub(limit, size)))
  const join = (...values: readonly Value[]) => b.op('Concat', values, { axis: 0 })
  const bounds = join(b.add(mean, delta), b.sub(mean, delta))
  const nearZero = b.isPositive(b.sub(smallestThreshold, b.abs(bounds)))
  const clearBounds = b.add(
    bounds,
    b.mul(nearZero, constants(b, 2 * smallestThreshold, -2 * smallestThreshold)),
  )
  const levels = join(clearBounds, b.max(scale, smallestThreshold))
  const slopes = join(constants(b, 1 / count), spreadSlope, thresholdSlope)
  return join(
    b.op('Clip', [levels], { min: -largestFloat32, max: largestFloat32 }),
    mean,
    b.mul(slopes, isFree),
  )
}

/** A bound this near zero is moved off it, outwards, so that comparing by multiplication stays exact. */
function awayFromZero(bound: number, outwards: 1 | -1): number {
  return Math.abs(bound) < smallestThreshold ? bound + outwards * 2 * smallestThreshold : bound
}

function within(value: number): number {
  return Math.min(Math.max(value, -largestFloat32), largestFloat32)
}
