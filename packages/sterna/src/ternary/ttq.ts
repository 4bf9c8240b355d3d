/** TTQ: trained ternary quantization (Zhu, Han, Mao, Dally; arXiv 1612.01064). */
import { f32, type Tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'
import type { MethodOption, OptionValues } from './options.ts'
import { asMatrix, largestFloat32, meanOf, outside, smallestThreshold } from './passes.ts'
import type { MethodPreset } from './preset.ts'
import {
  assignBetween,
  levelSizes,
  magnitudeGradient,
  quantizedBy,
  scaledGradient,
} from './two-magnitudes.ts'
import type { Quantizer } from './types.ts'

export const ttqOptions = [
  {
    name: 'threshold',
    type: 'choice',
    choices: ['maximum', 'sparsity'],
    default: 'maximum',
    effect: 'thresholdFactor × the largest |w|, or the threshold that zeroes the share `sparsity`',
  },
  {
    name: 'thresholdFactor',
    type: 'number',
    default: 0.05,
    min: 0,
    max: 1,
    open: 'min',
    unit: 'largest |w|',
    effect: 'more zeros when larger; the paper takes 0.05 everywhere (maximum only)',
  },
  {
    name: 'sparsity',
    type: 'number',
    default: 0.5,
    min: 0,
    max: 1,
    open: 'max',
    effect: 'the share of zeros in every layer (sparsity only)',
  },
  {
    name: 'initialMagnitude',
    type: 'choice',
    choices: ['mean', 'one'],
    default: 'mean',
    effect:
      'w_p and w_n start at the mean |w| of the weights of their sign that pass the threshold, or at 1 as published',
  },
  {
    name: 'publishedSign',
    type: 'boolean',
    default: false,
    effect: 'moves w_n with the gradient +Σ g as printed instead of the derivative −Σ g',
  },
] as const satisfies readonly MethodOption[]

export const ttqPresets = [
  {
    name: 'ttq',
    description: 'the TTQ authors’ CIFAR-10 settings, from a float network',
    config: {
      methodOptions: { initialMagnitude: 'one' },
      layers: 'float-first-last',
      epochs: 160,
      batchSize: 128,
      augmentation: { pad: 4, flip: true },
      optimiser: { kind: 'sgd', momentum: 0.9, nesterov: false },
      learningRate: { latent: 0.1, state: 0.1, rest: 0.1 },
      weightDecay: { latent: 2e-4, state: 2e-4, rest: 2e-4 },
      schedule: { kind: 'step', epochs: [82, 123, 150], factor: 0.1, warmUpEpochs: 0 },
    },
  },
] as const satisfies readonly MethodPreset[]

export type TtqOptions = OptionValues<typeof ttqOptions>

/** Magnitudes stay above zero: the level of a sign is its magnitude. */
const smallestMagnitude = 1e-6

/**
 * How fast the threshold of constant sparsity follows: it is multiplied by 1 + this × (the share asked for − the share
 * found). As the share changes by about as much as the logarithm of Δ, it is back within some ten steps.
 */
const tracking = 0.2

/**
 * The state: `magnitudes` [2] = w_p and w_n, learned, and `threshold` [], Δ, which follows the latent weight after
 * every update (`constrain`).
 */
export function createTtq(options: TtqOptions): Quantizer {
  return {
    method: 'ttq',
    options: { ...options },
    defaultLayers: 'float-first-last',
    roles: { magnitudes: 'magnitude', threshold: 'fixed' },
    optimiser: {
      optimiser: 'adam',
      latent: { learningRate: 1e-4, weightDecay: 0 },
      state: { learningRate: 1e-4, weightDecay: 0 },
      rest: { learningRate: 1e-4, weightDecay: 1e-4 },
    },
    init({ data }) {
      const threshold = thresholdOf(data, options)
      return { magnitudes: initialMagnitudes(data, threshold, options), threshold: f32([], [threshold]) }
    },
    forward(b, latent, { magnitudes, threshold }) {
      return quantizedBy(
        b,
        outside(b, asMatrix(b, latent), b.neg(threshold!), threshold!),
        magnitudes!,
        latent,
      )
    },
    backward(b, gradient, _latent, { magnitudes }, quantized) {
      const sizes = levelSizes(b, quantized)
      const { publishedSign } = options
      return {
        latent: scaledGradient(b, gradient, sizes),
        state: { magnitudes: magnitudeGradient(b, gradient, sizes, quantized, magnitudes!, publishedSign) },
      }
    },
    constrain(b, latent, { magnitudes, threshold }) {
      const w = asMatrix(b, latent)
      const next =
        options.threshold === 'maximum'
          ? b.mul(largestOf(b, w), options.thresholdFactor)
          : trackedThreshold(b, w, threshold!, options.sparsity)
      return {
        state: {
          magnitudes: b.max(magnitudes!, smallestMagnitude),
          threshold: b.min(b.max(next, smallestThreshold), largestFloat32),
        },
      }
    },
    assign(latent, { magnitudes, threshold }) {
      const [bound] = threshold!.data
      return assignBetween(latent, magnitudes!, -bound!, bound!)
    },
  }
}

function largestOf(b: GraphBuilder, w: Value): Value {
  return b.max(b.reduceMax(b.reduceMax(w, [1])), b.neg(b.reduceMin(b.reduceMin(w, [1]))))
}

/** Sorting in every step would be exact and several times dearer than the step itself; counting is not. */
function trackedThreshold(b: GraphBuilder, w: Value, threshold: Value, sparsity: number): Value {
  const keptShare = meanOf(b, b.isPositive(b.sub(b.abs(w), threshold)), 'layer')
  const correction = b.add(b.mul(keptShare, tracking), 1 - tracking * (1 - sparsity))
  return b.mul(threshold, b.reshape(correction, []))
}

function thresholdOf(data: Float32Array, { threshold, thresholdFactor, sparsity }: TtqOptions): number {
  const sizes = data.map(Math.abs)
  if (threshold === 'maximum') {
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0)
    return Math.max(Math.fround(largest * Math.fround(thresholdFactor)), smallestThreshold)
  }
  // The largest |w| that becomes zero; equal ones become zero with it.
  const zeros = Math.round(sparsity * data.length)
  if (zeros === 0) return smallestThreshold
  return Math.min(Math.max(sizes.sort()[zeros - 1]!, smallestThreshold), largestFloat32)
}

function initialMagnitudes(
  data: Float32Array,
  threshold: number,
  { initialMagnitude }: TtqOptions,
): Tensor<'f32'> {
  if (initialMagnitude === 'one') return f32([2], [1, 1])
  const mean = (sign: number) => {
    const kept = data.filter(w => sign * w > threshold)
    const sum = kept.reduce((total, w) => total + sign * w, 0)
    return kept.length === 0 ? smallestMagnitude : Math.max(sum / kept.length, smallestMagnitude)
  }
  return f32([2], [mean(1), mean(-1)])
}
