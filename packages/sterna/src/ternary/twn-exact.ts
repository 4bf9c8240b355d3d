/** TWN's threshold of least squared error, arXiv 1605.04711 eq. 6: argmax over k of (sum of the k largest |w|)² / k. */
import { f32 } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'
import { type Granularity, towardsZero } from './passes.ts'

/**
 * The threshold of one group of weights: midway between the smallest kept |w| and the largest dropped one.
 * Equal |w| are kept or dropped together. O(n log n).
 */
export function exactThresholdOf(weights: Float32Array): number {
  const descending = weights.map(Math.abs).sort().reverse()
  let sum = 0
  let best = 0
  let threshold = 0
  descending.forEach((magnitude, index) => {
    sum += magnitude
    const next = descending[index + 1] ?? 0
    const gain = (sum * sum) / (index + 1) // Σw² − J
    if (magnitude > next && gain > best) {
      best = gain
      threshold = belowMagnitude(magnitude, next)
    }
  })
  return threshold
}

/** The midpoint, unless float32 rounds it up to the kept magnitude itself. */
function belowMagnitude(kept: number, dropped: number): number {
  return Math.min(Math.fround(dropped + (kept - dropped) / 2), Math.fround(kept * towardsZero))
}

/** From |w| as [R, C]: [1, 1] for the layer, [R, 1] for each filter. */
export function exactThreshold(b: GraphBuilder, magnitudes: Value, granularity: Granularity): Value {
  const [rows, columns] = magnitudes.shape as readonly [number, number]
  if (granularity === 'layer') return b.reshape(ofRow(b, magnitudes, rows * columns), [1, 1])
  const thresholds = Array.from({ length: rows }, (_, row) =>
    b.reshape(ofRow(b, slice(b, magnitudes, row, row + 1), columns), [1, 1]),
  )
  return thresholds.length === 1 ? thresholds[0]! : b.op('Concat', thresholds, { axis: 0 })
}

function ofRow(b: GraphBuilder, magnitudes: Value, size: number): Value {
  const kept = b.op('SortDescending', [b.reshape(magnitudes, [size])], {})
  const zero = b.zeros([1])
  const dropped = size === 1 ? zero : b.op('Concat', [slice(b, kept, 1, size), zero], { axis: 0 })
  // In units of the largest, so that no square overflows.
  const unit = b.max(slice(b, kept, 0, 1), 1e-38)
  const sums = b.op('CumulativeSum', [b.div(kept, unit)], {})
  const perCount = b.constant(
    f32(
      [size],
      Float32Array.from({ length: size }, (_, index) => 1 / (index + 1)),
    ),
  )
  const gains = b.mul(b.mul(sums, sums), perCount)
  const splitsNoTie = b.isPositive(b.sub(kept, dropped))
  const midpoint = b.add(dropped, b.mul(b.sub(kept, dropped), 0.5))
  const thresholds = b.min(midpoint, b.mul(kept, towardsZero))
  return b.op('TakeAtMaximum', [thresholds, b.mul(gains, splitsNoTie)], {})
}

function slice(b: GraphBuilder, x: Value, start: number, end: number): Value {
  return b.op('Slice', [x], { starts: [start], ends: [end], axes: [0], steps: [1] })
}
