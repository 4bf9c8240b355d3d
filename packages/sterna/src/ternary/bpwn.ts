/**
 * BPWN: binary weights, q = sign(w) with sign(0) = +1; the binary control of the TWN paper (arXiv 1605.04711,
 * section 3), optionally with the mean magnitude of BWN (arXiv 1603.05279).
 */
import type { Tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'
import type { MethodOption, OptionValues } from './options.ts'
import { asMatrix, asShape, type Granularity, largestFloat32, meanOf } from './passes.ts'
import { filterMeans } from './plain.ts'
import { type MethodPreset, twnPaperMnist } from './preset.ts'
import type { Quantizer, TernaryWeight } from './types.ts'

export const bpwnOptions = [
  {
    name: 'scale',
    type: 'choice',
    choices: ['none', 'layer', 'filter'],
    default: 'none',
    effect: 'levels ±1, or ± the mean |w| of the layer or of each output filter',
  },
] as const satisfies readonly MethodOption[]

export const bpwnPresets = [
  { name: 'bpwn-mnist', description: 'the binary control of the TWN paper on MNIST', config: twnPaperMnist },
] as const satisfies readonly MethodPreset[]

export type BpwnOptions = OptionValues<typeof bpwnOptions>

/** Slope and offset of the ramp that is 1 for w ≥ 0 and 0 for w < 0, denormal numbers included. */
const lift = 2 ** 24
const ramp = { alpha: 3e38, beta: 1 }

export function createBpwn(options: BpwnOptions): Quantizer {
  const { scale } = options
  return {
    method: 'bpwn',
    options: { ...options },
    defaultLayers: 'all',
    roles: {},
    init: () => ({}),
    forward(b, latent) {
      const w = asMatrix(b, latent)
      const isPlus = b.op('HardSigmoid', [b.mul(w, lift)], ramp)
      const magnitude = scale === 'none' ? b.constant(1) : meanMagnitude(b, w, scale)
      const weight = b.sub(b.mul(isPlus, b.mul(magnitude, 2)), magnitude)
      return { weight: asShape(b, weight, latent.shape), saved: {} }
    },
    // The straight-through identity.
    backward: (_b, gradient) => ({ latent: gradient, state: {} }),
    assign: latent => assignSigns(latent, scale),
  }
}

function meanMagnitude(b: GraphBuilder, w: Value, granularity: Granularity): Value {
  // Half the largest, because twice this number is formed.
  return b.min(meanOf(b, b.abs(w), granularity), largestFloat32 / 2)
}

function assignSigns(latent: Tensor<'f32'>, scale: BpwnOptions['scale']): TernaryWeight {
  const { shape, data } = latent
  const assignment = Int8Array.from(data, w => (w < 0 ? -1 : 1))
  const magnitude =
    scale === 'none'
      ? Float32Array.of(1)
      : filterMeans(data, scale === 'layer' ? 1 : (shape[0] ?? 1)).map(mean =>
          Math.min(mean, largestFloat32 / 2),
        )
  return { shape, assignment, positive: magnitude, negative: magnitude }
}
