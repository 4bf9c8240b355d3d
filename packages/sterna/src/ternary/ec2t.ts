/** EC2T: entropy-constrained trained ternarization (Marban, Becking, Wiedemann, Samek; arXiv 2004.01077). */
import { f32, type Tensor } from '../core/index.ts'
import { boundsFrom, flooredMagnitudes } from './ec2t-graph.ts'
import type { Ec2tOptions } from './ec2t-options.ts'
import { boundsOf, initialMagnitudes, standardDeviation } from './ec2t-rule.ts'
import { asMatrix, outside, pick, steepened } from './passes.ts'
import {
  assignBetween,
  levelSizes,
  magnitudeGradient,
  quantizedBy,
  scaledGradient,
} from './two-magnitudes.ts'
import type { Quantizer, TernaryWeight } from './types.ts'

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
      const sizes = levelSizes(b, quantized)
      const { latentGradientScaling, publishedSign } = options
      return {
        latent: latentGradientScaling ? scaledGradient(b, gradient, sizes) : gradient,
        state: { magnitudes: magnitudeGradient(b, gradient, sizes, quantized, magnitudes!, publishedSign) },
      }
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
      const sizes = levelSizes(b, quantized)
      const { publishedSign } = options
      return {
        state: { magnitudes: magnitudeGradient(b, gradient, sizes, quantized, magnitudes!, publishedSign) },
      }
    },
    constrain: (b, _latent, { magnitudes, floor }) => ({
      state: { magnitudes: b.max(magnitudes!, floor!) },
    }),
    assign: (latent, { magnitudes }) => assignLevels(latent, magnitudes!, bounds.data),
  }
}

function magnitudeFloor({ data }: Tensor<'f32'>, { magnitudeFloor: factor }: Ec2tOptions): Tensor<'f32'> {
  return f32([1], [factor * standardDeviation(data)])
}

function assignLevels(latent: Tensor<'f32'>, magnitudes: Tensor<'f32'>, bounds: Float32Array): TernaryWeight {
  return assignBetween(latent, magnitudes, bounds[1]!, bounds[0]!)
}
