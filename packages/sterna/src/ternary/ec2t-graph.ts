/** EC2T's assignment rule as graph; `ec2t-rule.ts` is the same in plain arithmetic, with the equations. */
import type { GraphBuilder, Value } from '../graph/index.ts'
import { type Ec2tOptions, layerEntropyWeight } from './ec2t-options.ts'
import {
  asMatrix,
  constants,
  dot,
  largestFloat32,
  meanOf,
  pair,
  pick,
  smallestThreshold,
  sumOf,
  towardsZero,
} from './passes.ts'
import type { LayerContext } from './types.ts'

/** Keeps quotients and logarithms finite; far below anything they meet otherwise. */
const tiny = 1e-30

/** Magnitudes [2] no smaller than the floor, which is a multiple of the latent weight's standard deviation. */
export function flooredMagnitudes(b: GraphBuilder, latent: Value, magnitudes: Value, floor: number): Value {
  const w = asMatrix(b, latent)
  const count = (w.shape[0] ?? 0) * (w.shape[1] ?? 0)
  if (floor === 0 || count < 2) return magnitudes
  const mean = meanOf(b, w, 'layer')
  const meanSquare = b.min(b.mul(dot(b, w, w), 1 / count), largestFloat32)
  const biased = b.relu(b.sub(meanSquare, b.min(b.mul(mean, mean), largestFloat32)))
  // √(n/(n−1)) is at most √2, and at such a size the product with the floor must stay finite.
  const deviation = b.mul(b.sqrt(biased), floor * Math.sqrt(count / (count - 1)))
  return b.max(magnitudes, b.reshape(deviation, [1]))
}

/** The bounds [upper, lower] from the latent weight and its magnitudes [2] = [w_p, w_n]. */
export function boundsFrom(
  b: GraphBuilder,
  latent: Value,
  magnitudes: Value,
  options: Ec2tOptions,
  layer: LayerContext,
): Value {
  const w = asMatrix(b, latent)
  const extremes = extremesFrom(b, w)
  const halves = b.max(b.mul(magnitudes, 0.5), smallestThreshold)
  const extraBits = extraInformation(b, w, halves, options)

  // Gain and magnitudes in units of the largest |w|, so that no square overflows.
  const unit = b.max(b.reduceMax(extremes), 1e-38)
  const scaledMagnitudes = b.div(magnitudes, unit)
  const gain = b.mul(scaledMagnitudes, b.sub(b.mul(b.div(extremes, unit), 2), scaledMagnitudes))
  // 1/λ_max of each sign; 0 where it sets no bound.
  const binding = b.div(b.mul(extraBits, b.isPositive(gain)), b.max(gain, tiny))
  const relative = b.div(binding, b.max(b.reduceMax(binding), tiny))
  const share = b.mul(relative, layerEntropyWeight(options, layer))
  const between = b.add(b.mul(halves, b.sub(1, share)), b.mul(extremes, share))
  return b.mul(b.max(between, smallestThreshold), constants(b, 1, -towardsZero))
}

/** [2]: the largest w and the largest −w, at least 0. */
function extremesFrom(b: GraphBuilder, w: Value): Value {
  const largest = b.reduceMax(b.reduceMax(w, [1]))
  const smallest = b.reduceMin(b.reduceMin(w, [1]))
  return b.relu(pair(b, largest, b.neg(smallest)))
}

/** [2]: I − I_0 of each sign in nats (only ratios of it are used), from the counts of the nearest levels. */
function extraInformation(
  b: GraphBuilder,
  w: Value,
  halves: Value,
  { probabilityFloor, publishedFloor }: Ec2tOptions,
): Value {
  const count = (w.shape[0] ?? 0) * (w.shape[1] ?? 0)
  const above = sumOf(b, b.isPositive(b.sub(w, pick(b, halves, 0))))
  const notBelow = sumOf(b, b.isPositive(b.add(w, pick(b, halves, 1))))
  const zero = b.mul(b.max(b.sub(notBelow, above), 1), 1 / count)
  const signed = b.mul(b.max(pair(b, above, b.sub(count, notBelow)), 1), 1 / count)
  const flooredZero = b.reshape(b.max(zero, probabilityFloor), [1])
  const floored = publishedFloor
    ? publishedShares(b, signed, b.reshape(b.relu(b.sub(probabilityFloor, zero)), [1]))
    : b.mul(signed, b.min(b.div(1 - probabilityFloor, b.sum(signed)), 1))
  return b.relu(b.log(b.div(flooredZero, b.max(floored, tiny))))
}

function publishedShares(b: GraphBuilder, signed: Value, excess: Value): Value {
  const positive = pick(b, signed, 0)
  const negative = pick(b, signed, 1)
  const lessNegative = b.sub(negative, b.div(b.mul(excess, negative), b.add(positive, negative)))
  const lessPositive = b.sub(positive, b.div(b.mul(excess, positive), b.add(lessNegative, positive)))
  return pair(b, lessPositive, lessNegative)
}
