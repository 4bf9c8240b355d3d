/** EC2T: entropy-constrained trained ternarization (Marban, Becking, Wiedemann, Samek; arXiv 2004.01077). */
import { f32, type Tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'
import { boundsFrom, flooredMagnitudes } from './ec2t-graph.ts'
import type { Ec2tOptions } from './ec2t-options.ts'
import { boundsOf, initialMagnitudes, standardDeviation } from './ec2t-rule.ts'
import { asMatrix, asShape, dot, levelsOf, outside, pair, pick, steepened } from './passes.ts'
import { signsOutside } from './plain.ts'
import type { Quantized, Quantizer, TernaryWeight } from './types.ts'

const optimiser = {
  optimiser: 'adam',
  latent: { learningRate: 1e-4, weightDecay: 0 },
  state: { learningRate: 1e-5, weightDecay: 0 },
  rest: { learningRate: 1e-4, weightDecay: 5e-6 },
} as const

/**
 * The state: `magnitudes` [2] = w_p and w_n, learned, and `bounds` [2], the thresholds for w > bounds[0] and
 * w < bounds[1]. The bounds are found at the start and again after every update (`constrain`), in the order
 * of the authors' code: magnitude floor, probabilities, λ, assignment.
 */
export function createEc2t(options: Ec2tOptions): Quantizer {
  const frozen = createFrozenEc2t(options)
  return {
    method: 'ec2t',
    options: { ...options },
    defaultLayers: 'float-first-last',
    roles: { magnitudes: 'magnitude', bounds: 'fixed' },
    optimiser,
    init(latent, layer) {
      const magnitudes = initialMagnitudes(latent.data, options.initialScale)
      return {
        magnitudes: f32([2], [magnitudes.positive, magnitudes.negative]),
        bounds: f32([2], boundsOf(latent.data, magnitudes, options, layer)),
      }
    },
    forward(b, latent, { magnitudes, bounds }) {
      const beyond = outside(b, asMatrix(b, latent), pick(b, bounds!, 1), pick(b, bounds!, 0))
      return quantizedBy(b, beyond, magnitudes!, latent)
    },
    backward(b, gradient, _latent, { magnitudes }, quantized) {
      const g = asMatrix(b, gradient)
      const size = b.abs(asMatrix(b, quantized.weight))
      const state = {
        magnitudes: magnitudeGradient(b, g, size, quantized, magnitudes!, options.publishedSign),
      }
      if (!options.latentGradientScaling) return { latent: gradient, state }
      const isZero = b.op('HardSigmoid', [size], { alpha: -3e38, beta: 1 })
      return { latent: asShape(b, b.mul(g, b.add(size, isZero)), gradient.shape), state }
    },
    constrain(b, latent, { magnitudes }, layer) {
      const floored = flooredMagnitudes(b, latent, magnitudes!, options.magnitudeFloor)
      return { state: { magnitudes: floored, bounds: boundsFrom(b, latent, floored, options, layer) } }
    },
    assign: (latent, { magnitudes, bounds }) => assignLevels(latent, magnitudes!, bounds!.data),
    freeze(latent, { magnitudes, bounds }, layer) {
      const { assignment } = assignLevels(latent, magnitudes!, bounds!.data)
      const state = { magnitudes: magnitudes!, floor: magnitudeFloor(latent, options) }
      return { quantizer: frozen, latent: f32(layer.shape, Float32Array.from(assignment)), state }
    },
  }
}

/** Phase B: the latent tensor is the assignment, −1, 0 and +1, and stays; the magnitudes go on learning. */
function createFrozenEc2t(options: Ec2tOptions): Quantizer {
  const bounds = f32([2], [0, 0])
  return {
    method: 'ec2t',
    options: { ...options },
    defaultLayers: 'float-first-last',
    roles: { magnitudes: 'magnitude', floor: 'fixed' },
    optimiser,
    init(latent) {
      const { positive, negative } = initialMagnitudes(latent.data, options.initialScale)
      return { magnitudes: f32([2], [positive, negative]), floor: magnitudeFloor(latent, options) }
    },
    forward: (b, latent, { magnitudes }) =>
      quantizedBy(b, steepened(b, asMatrix(b, latent)), magnitudes!, latent),
    backward(b, gradient, _latent, { magnitudes }, quantized) {
      const size = b.abs(asMatrix(b, quantized.weight))
      const g = asMatrix(b, gradient)
      return {
        state: { magnitudes: magnitudeGradient(b, g, size, quantized, magnitudes!, options.publishedSign) },
      }
    },
    constrain: (b, _latent, { magnitudes, floor }) => ({
      state: { magnitudes: b.max(magnitudes!, floor!) },
    }),
    assign: (latent, { magnitudes }) => assignLevels(latent, magnitudes!, bounds.data),
  }
}

function quantizedBy(b: GraphBuilder, beyond: Value, magnitudes: Value, latent: Value): Quantized {
  const levels = levelsOf(b, beyond, pick(b, magnitudes, 0), pick(b, magnitudes, 1))
  return { weight: asShape(b, levels, latent.shape), saved: {} }
}

/**
 * [2]: Σ g over the positive weights and −Σ g over the negative ones, dL/dw_p and dL/dw_n. From
 * Σ g·q = w_p Σ_p g − w_n Σ_n g and Σ g·|q| = w_p Σ_p g + w_n Σ_n g.
 */
function magnitudeGradient(
  b: GraphBuilder,
  g: Value,
  size: Value,
  quantized: Quantized,
  magnitudes: Value,
  publishedSign: boolean,
): Value {
  const signed = dot(b, g, asMatrix(b, quantized.weight))
  const unsigned = dot(b, g, size)
  const negative = publishedSign ? b.sub(unsigned, signed) : b.sub(signed, unsigned)
  return b.div(pair(b, b.add(unsigned, signed), negative), b.max(b.mul(magnitudes, 2), 1e-30))
}

function magnitudeFloor({ data }: Tensor<'f32'>, { magnitudeFloor: factor }: Ec2tOptions): Tensor<'f32'> {
  return f32([1], [factor * standardDeviation(data)])
}

function assignLevels(latent: Tensor<'f32'>, magnitudes: Tensor<'f32'>, bounds: Float32Array): TernaryWeight {
  const { shape, data } = latent
  const assignment = new Int8Array(data.length)
  signsOutside(data, bounds[1]!, bounds[0]!, assignment)
  return {
    shape,
    assignment,
    positive: magnitudes.data.slice(0, 1),
    negative: magnitudes.data.slice(1, 2),
  }
}
