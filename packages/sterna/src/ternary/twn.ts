/** TWN: ternary weight networks (Li, Zhang, Liu; arXiv 1605.04711). */
import { type Tensor, tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'
import type { MethodOption, OptionValues } from './options.ts'
import { asMatrix, asShape, largestFloat32, meanOf, signsBeyond, smallestThreshold } from './passes.ts'
import { filterMeans, mapGroups, signsOutside } from './plain.ts'
import { type MethodPreset, twnPaperMnist } from './preset.ts'
import { exactThreshold, exactThresholdOf } from './twn-exact.ts'
import type { Quantizer, TernaryWeight } from './types.ts'

export const twnOptions = [
  {
    name: 'threshold',
    type: 'choice',
    choices: ['approximate', 'exact'],
    default: 'approximate',
    effect:
      'thresholdFactor × mean |w|, or the threshold of least squared error, which sorts the weights each step',
  },
  {
    name: 'thresholdFactor',
    type: 'number',
    default: 0.7,
    min: 0.01,
    max: 10,
    unit: 'mean |w|',
    effect:
      'more zeros when larger; the paper takes 0.7, its normal-distribution estimate is 0.75 (approximate only)',
  },
  {
    name: 'granularity',
    type: 'choice',
    choices: ['layer', 'filter'],
    default: 'layer',
    effect: 'one threshold and magnitude for the layer, or one for each output filter',
  },
] as const satisfies readonly MethodOption[]

export const twnPresets = [
  {
    name: 'twn-mnist',
    description: 'the TWN paper on MNIST, with the cross-entropy of its released code',
    config: twnPaperMnist,
  },
] as const satisfies readonly MethodPreset[]

export type TwnOptions = OptionValues<typeof twnOptions>

/**
 * The state is the threshold Δ, [] or [O]: it is found from the latent weight at the start and again after
 * every update (`constrain`), so `forward` and `assign` compare with the very same number.
 */
export function createTwn(options: TwnOptions): Quantizer {
  const { granularity } = options
  const groupsOf = (shape: readonly number[]) => (granularity === 'layer' ? 1 : (shape[0] ?? 1))
  const stateShape = (shape: readonly number[]) => (granularity === 'layer' ? [] : [shape[0] ?? 1])
  return {
    method: 'twn',
    options: { ...options },
    defaultLayers: 'all',
    roles: { threshold: 'fixed' },
    init({ shape, data }) {
      const thresholds = initialThresholds(data, groupsOf(shape), options)
      return { threshold: tensor('f32', stateShape(shape), thresholds) }
    },
    forward(b, latent, { threshold }) {
      const w = asMatrix(b, latent)
      const signs = signsBeyond(b, w, b.reshape(threshold!, [threshold!.shape[0] ?? 1, 1]))
      // α = Σ|w| / count over the kept weights, eq. 5; as means, so that no sum overflows.
      const keptMean = meanOf(b, b.mul(w, signs), granularity)
      const keptFraction = meanOf(b, b.abs(signs), granularity)
      const magnitude = b.min(b.div(keptMean, b.max(keptFraction, 1e-30)), largestFloat32)
      return { weight: asShape(b, b.mul(signs, magnitude), latent.shape), saved: {} }
    },
    // The straight-through identity; nothing flows through α or Δ.
    backward: (_b, gradient) => ({ latent: gradient, state: {} }),
    constrain(b, latent) {
      const magnitudes = b.abs(asMatrix(b, latent))
      const threshold =
        options.threshold === 'exact'
          ? exactThreshold(b, magnitudes, granularity)
          : b.mul(meanOf(b, magnitudes, granularity), options.thresholdFactor)
      return { state: { threshold: b.reshape(within(b, threshold), stateShape(latent.shape)) } }
    },
    assign(latent, { threshold }) {
      return assignLevels(latent, threshold!.data)
    },
  }
}

function within(b: GraphBuilder, threshold: Value): Value {
  return b.min(b.max(threshold, smallestThreshold), largestFloat32)
}

function initialThresholds(data: Float32Array, groups: number, options: TwnOptions): Float32Array {
  const thresholds =
    options.threshold === 'exact'
      ? mapGroups(data, groups, exactThresholdOf)
      : filterMeans(data, groups).map(mean => mean * options.thresholdFactor)
  return thresholds.map(threshold => Math.min(Math.max(threshold, smallestThreshold), largestFloat32))
}

/** Signs by Δ and α of each group (one group or one for each filter). */
function assignLevels(latent: Tensor<'f32'>, thresholds: Float32Array): TernaryWeight {
  const { shape, data } = latent
  const assignment = new Int8Array(data.length)
  const length = data.length / thresholds.length
  const magnitude = mapGroups(data, thresholds.length, (part, group) => {
    const threshold = thresholds[group]!
    const signs = assignment.subarray(group * length, (group + 1) * length)
    signsOutside(part, -threshold, threshold, signs)
    let sum = 0
    let count = 0
    for (let i = 0; i < part.length; i++) {
      if (signs[i] === 0) continue
      sum += Math.abs(part[i]!)
      count++
    }
    return count === 0 ? 0 : sum / count
  })
  return { shape, assignment, positive: magnitude, negative: magnitude }
}
