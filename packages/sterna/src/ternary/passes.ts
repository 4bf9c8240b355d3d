/**
 * Pieces of graph that the quantizers share. A weight of a million elements costs one trip through memory
 * for each elementwise operator, so these are chosen for few trips and for operators that use all threads.
 */
import { f32, type Shape, sameShape, sizeOf, tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'

/** Lifts every difference between a weight and a threshold of at least `smallestThreshold` above any level. */
const steep = 2 ** 127

/**
 * Thresholds are never smaller (8e-31). Neighbouring float32 numbers there differ by 2⁻¹²³, which `steep`
 * still lifts above 1, so a comparison made by multiplying and clipping is exact.
 */
export const smallestThreshold = 2 ** -100

/** The largest finite float32: what a sum that overflowed is brought back to. */
export const largestFloat32 = 3.4028234663852886e38

/** x·(1 − 2⁻²⁴) is the float32 number next to x towards zero: "≥ x" becomes "> that". */
export const towardsZero = 1 - 2 ** -24

/** Whether one number serves a whole layer or each of its output filters has its own. */
export type Granularity = 'layer' | 'filter'

/** [O, …] -> [O, n/O]: a row for each output filter. */
export function asMatrix(b: GraphBuilder, x: Value): Value {
  const rows = Math.max(1, x.shape[0] ?? 1)
  return x.shape.length === 2 ? x : b.reshape(x, [rows, sizeOf(x.shape) / rows])
}

/** The matrix in the weight's own shape again. */
export function asShape(b: GraphBuilder, matrix: Value, shape: Shape): Value {
  return sameShape(matrix.shape, shape) ? matrix : b.reshape(matrix, shape)
}

/** The sum of [R, C] as [1, 1]: a matrix product with a row of ones reads x once on all threads. */
export function sumOf(b: GraphBuilder, x: Value): Value {
  const columns = b.matMul(b.constant(filled([1, x.shape[0]!], 1)), x)
  return b.sum(columns, [0, 1], true)
}

/** The sum of x·y as [1, 1]. */
export function dot(b: GraphBuilder, x: Value, y: Value): Value {
  return b.reshape(b.op('Dot', [x, y], {}), [1, 1])
}

/** The mean of [R, C]: [1, 1] for a layer, [R, 1] for each filter. No partial sum exceeds the largest |x|. */
export function meanOf(b: GraphBuilder, x: Value, granularity: Granularity): Value {
  const [rows, columns] = x.shape as readonly [number, number]
  if (granularity === 'filter') return b.matMul(x, b.constant(filled([columns, 1], 1 / columns)))
  return b.sum(b.matMul(b.constant(filled([1, rows], 1 / (rows * columns))), x), [0, 1], true)
}

/**
 * Beyond any magnitude above `upper`, below any −magnitude under `lower`, 0 between (bounds included). The
 * bounds have one element.
 */
export function outside(b: GraphBuilder, x: Value, lower: Value, upper: Value): Value {
  return b.mul(b.sub(x, b.clamp(x, lower, upper)), steep)
}

/** −negative, 0 or +positive (one element each) from the result of `outside` or of `steepened`. */
export function levelsOf(b: GraphBuilder, beyond: Value, positive: Value, negative: Value): Value {
  return b.clamp(beyond, b.neg(negative), positive)
}

/** −1 below −threshold, +1 above threshold, else 0; the threshold is [1, 1] or, for [R, C], [R, 1]. */
export function signsBeyond(b: GraphBuilder, x: Value, threshold: Value): Value {
  const lower = b.neg(threshold)
  if (sizeOf(threshold.shape) === 1) {
    return b.op('Clip', [outside(b, x, lower, threshold)], { min: -1, max: 1 })
  }
  return b.sub(b.isPositive(b.sub(x, threshold)), b.isPositive(b.sub(lower, x)))
}

/** Signs −1, 0, +1 as `levelsOf` takes them. */
export function steepened(b: GraphBuilder, signs: Value): Value {
  return b.mul(signs, steep)
}

/** Element `index` of [k] as [1]. */
export function pick(b: GraphBuilder, x: Value, index: number): Value {
  return b.op('Slice', [x], { starts: [index], ends: [index + 1], axes: [0], steps: [1] })
}

/** Two numbers, each of one element, as [2]. */
export function pair(b: GraphBuilder, first: Value, second: Value): Value {
  return b.op('Concat', [b.reshape(first, [1]), b.reshape(second, [1])], { axis: 0 })
}

/** A constant [k]. */
export function constants(b: GraphBuilder, ...values: readonly number[]): Value {
  return b.constant(f32([values.length], values))
}

function filled(shape: readonly number[], value: number) {
  return tensor('f32', shape, new Float32Array(sizeOf(shape)).fill(value))
}
