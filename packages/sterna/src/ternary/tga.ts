/** TGA: truncated Gaussian approximation (He, Fan; CVPR 2019, arXiv 1810.01018). */
import { f32, type Tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'
import type { MethodOption, OptionValues } from './options.ts'
import { asMatrix, asShape, dot, outside, pick } from './passes.ts'
import { signsOutside } from './plain.ts'
import type { MethodPreset } from './preset.ts'
import { fitFrom, fitIndex, fitOf } from './tga-fit.ts'
import type { Quantizer } from './types.ts'

export const tgaOptions = [
  {
    name: 'initialThreshold',
    type: 'number',
    default: 0.05,
    min: 0,
    max: 1,
    open: 'min',
    unit: 'largest |w|',
    effect: 'δ to start from, more zeros when larger; 0.05 in the authors’ code, 0.1 is also reported',
  },
  {
    name: 'scaleGradient',
    type: 'choice',
    choices: ['full', 'none'],
    default: 'full',
    effect:
      'whether the latent weight also gets the gradient that flows through S by μ and σ, as in the authors’ code',
  },
  {
    name: 'thresholdGradientLimit',
    type: 'number',
    default: 0.001,
    min: 0,
    max: 1e6,
    open: 'min',
    effect: 'dL/dδ is brought into ± this; larger lets δ move faster, usually towards 0',
  },
  {
    name: 'update',
    type: 'choice',
    choices: ['state-first', 'joint'],
    default: 'state-first',
    effect:
      'two passes a batch, δ first and the rest with the new δ, as published, or one pass for both at half the time',
  },
] as const satisfies readonly MethodOption[]

export const tgaPresets = [
  {
    name: 'tga-all-layers',
    description: 'the TGA authors’ settings with the first and the last layer ternary, from a float network',
    config: {
      layers: 'all',
      epochs: 50,
      batchSize: 256,
      schedule: { kind: 'step', epochs: [25, 30, 35], factor: 0.2, warmUpEpochs: 0 },
    },
  },
] as const satisfies readonly MethodPreset[]

export type TgaOptions = OptionValues<typeof tgaOptions>

/**
 * The state: `threshold` [] = δ, learned, and `fit` [7], what follows from it and the latent weight (see
 * `tga-fit.ts`): thresholds, magnitude and derivatives. The fit is found at the start and again after every
 * update (`constrain`), so `forward`, `backward` and `assign` use the very same numbers.
 */
export function createTga(options: TgaOptions): Quantizer {
  return {
    method: 'tga',
    options: { ...options },
    defaultLayers: 'all',
    roles: { threshold: 'threshold', fit: 'fixed' },
    update: options.update,
    optimiser: {
      optimiser: 'adam',
      latent: { learningRate: 1e-4, weightDecay: 5e-6 },
      state: { learningRate: 1e-2, weightDecay: 0, optimiser: 'plain-sgd' },
      rest: { learningRate: 1e-4, weightDecay: 5e-6 },
    },
    init({ data }) {
      const largest = data.reduce((most, w) => Math.max(most, Math.abs(w)), 0)
      const threshold = Math.fround(largest * options.initialThreshold)
      return { threshold: f32([], [threshold]), fit: f32([fitIndex.count], fitOf(data, threshold)) }
    },
    forward(b, latent, { fit }) {
      const beyond = outside(b, asMatrix(b, latent), at(b, fit!, 'lower'), at(b, fit!, 'upper'))
      const signs = b.op('Clip', [beyond], { min: -1, max: 1 })
      return { weight: asShape(b, b.mul(signs, at(b, fit!, 'scale')), latent.shape), saved: { signs } }
    },
    backward(b, gradient, latent, { fit }, { saved }) {
      // dL/dS = Σ g·T
      const g = asMatrix(b, gradient)
      const throughScale = dot(b, g, saved.signs!)
      const limit = options.thresholdGradientLimit
      const toThreshold = b.reshape(b.mul(throughScale, at(b, fit!, 'thresholdSlope')), [])
      const state = { threshold: b.op('Clip', [toThreshold], { min: -limit, max: limit }) }
      if (options.scaleGradient === 'none') return { latent: gradient, state }
      // g + r·(∂S/∂μ/n + ∂S/∂σ·(w − μ)/((n − 1)σ))
      const slope = b.mul(throughScale, at(b, fit!, 'spreadSlope'))
      const centre = b.sub(b.mul(throughScale, at(b, fit!, 'meanSlope')), b.mul(slope, at(b, fit!, 'mean')))
      const added = b.add(b.mul(asMatrix(b, latent), slope), centre)
      return { latent: asShape(b, b.add(g, added), gradient.shape), state }
    },
    constrain: (b, latent, { threshold }) => ({
      state: { fit: fitFrom(b, asMatrix(b, latent), threshold!) },
    }),
    assign({ shape, data }, { fit }) {
      const assignment = new Int8Array(data.length)
      signsOutside(data, valueAt(fit!, 'lower'), valueAt(fit!, 'upper'), assignment)
      const magnitude = Float32Array.of(valueAt(fit!, 'scale'))
      return { shape, assignment, positive: magnitude, negative: magnitude }
    },
  }
}

type FitName = Exclude<keyof typeof fitIndex, 'count'>

function at(b: GraphBuilder, fit: Value, name: FitName): Value {
  return pick(b, fit, fitIndex[name])
}

function valueAt(fit: Tensor<'f32'>, name: FitName): number {
  return fit.data[fitIndex[name]]!
}
