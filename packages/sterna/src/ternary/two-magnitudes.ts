/** What methods with two learned magnitudes a layer, w_p and w_n, have in common: levels and derivatives. */
import type { Tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'
import { asMatrix, asShape, dot, levelsOf, pair, pick } from './passes.ts'
import { signsOutside } from './plain.ts'
import type { Quantized, TernaryWeight } from './types.ts'

/** The levels −w_n, 0, +w_p of magnitudes [2] = [w_p, w_n], from the result of `outside` or `steepened`. */
export function quantizedBy(b: GraphBuilder, beyond: Value, magnitudes: Value, latent: Value): Quantized {
  const levels = levelsOf(b, beyond, pick(b, magnitudes, 0), pick(b, magnitudes, 1))
  return { weight: asShape(b, levels, latent.shape), saved: {} }
}

/** |q| as a matrix, which both derivatives below are made of. */
export function levelSizes(b: GraphBuilder, quantized: Quantized): Value {
  return b.abs(asMatrix(b, quantized.weight))
}

/** dL/d latent = w_p·g, g or w_n·g where the level is +w_p, 0 or −w_n. */
export function scaledGradient(b: GraphBuilder, gradient: Value, sizes: Value): Value {
  const isZero = b.op('HardSigmoid', [sizes], { alpha: -3e38, beta: 1 })
  return asShape(b, b.mul(asMatrix(b, gradient), b.add(sizes, isZero)), gradient.shape)
}

/**
 * [2]: Σ g over the positive weights and −Σ g over the negative ones, dL/dw_p and dL/dw_n; with `publishedSign`
 * the second without its minus. From Σ g·q = w_p Σ_p g − w_n Σ_n g and Σ g·|q| = w_p Σ_p g + w_n Σ_n g.
 */
export function magnitudeGradient(
  b: GraphBuilder,
  gradient: Value,
  sizes: Value,
  quantized: Quantized,
  magnitudes: Value,
  publishedSign: boolean,
): Value {
  const g = asMatrix(b, gradient)
  const signed = dot(b, g, asMatrix(b, quantized.weight))
  const unsigned = dot(b, g, sizes)
  const negative = publishedSign ? b.sub(unsigned, signed) : b.sub(signed, unsigned)
  return b.div(pair(b, b.add(unsigned, signed), negative), b.max(b.mul(magnitudes, 2), 1e-30))
}

/** +w_p above `upper`, −w_n below `lower`, 0 between. */
export function assignBetween(
  { shape, data }: Tensor<'f32'>,
  magnitudes: Tensor<'f32'>,
  lower: number,
  upper: number,
): TernaryWeight {
  const assignment = new Int8Array(data.length)
  signsOutside(data, lower, upper, assignment)
  return {
    shape,
    assignment,
    positive: magnitudes.data.slice(0, 1),
    negative: magnitudes.data.slice(1, 2),
  }
}
