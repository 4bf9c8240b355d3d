/** TTQ: trained ternary quantization (Zhu, Han, Mao, Dally; arXiv 1612.01064). */
import { f32, type Tensor } from '../core/index.ts'
import type { MethodOption, OptionValues } from './options.ts'
import { asMatrix, largestFloat32, outside, smallestThreshold } from './passes.ts'
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
    effect:
      'thresholdFactor × the largest |w|, followed in every step, or the threshold that zeroes the share `sparsity`, found again after every epoch',
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

export type TtqOptions = OptionValues<typeof ttqOptions>

/** Magnitudes stay above zero: the level of a sign is its magnitude. */
const smallestMagnitude = 1e-6

/**
 * The state: `magnitudes` [2] = w_p and w_n, learned, and `threshold` [], Δ: the fraction of the largest |w| is
 * found again after every update (`constrain`), the threshold of constant sparsity after every epoch (`refresh`).
 */
export function createTtq(options: TtqOptions): Quantizer {
  const followsMaximum = options.threshold === 'maximum'
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
    constrain(b, latent, { magnitudes }) {
      const state = { magnitudes: b.max(magnitudes!, smallestMagnitude) }
      if (!followsMaximum) return { state }
      const w = asMatrix(b, latent)
      const largest = b.max(b.reduceMax(b.reduceMax(w, [1])), b.neg(b.reduceMin(b.reduceMin(w, [1]))))
      return {
        state: { ...state, threshold: b.max(b.mul(largest, options.thresholdFactor), smallestThreshold) },
      }
    },
    ...(!followsMaximum && {
      refresh: ({ data }: Tensor<'f32'>) => ({ threshold: f32([], [thresholdOf(data, options)]) }),
    }),
    assign(latent, { magnitudes, threshold }) {
      const [bound] = threshold!.data
      return assignBetween(latent, magnitudes!, -bound!, bound!)
    },
  }
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
