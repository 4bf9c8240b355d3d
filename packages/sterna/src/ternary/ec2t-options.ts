/** The options of EC2T; equations of D. Becking's thesis on EC2T, chapter 4: s 4.16, γ 4.8, ς 4.9. */
import type { MethodOption, OptionValues } from './options.ts'
import type { MethodPreset } from './preset.ts'
import type { LayerContext } from './types.ts'

export const ec2tOptions = [
  {
    name: 'entropyWeight',
    type: 'number',
    default: 0.15,
    min: 0,
    max: 1,
    effect: 'γ: more zeros when larger; 0 assigns the nearest level, 1 drives one sign of a layer to zero',
  },
  {
    name: 'initialScale',
    type: 'number',
    default: 0.3,
    min: 0,
    max: 1,
    open: 'min',
    unit: 'largest weight of the sign',
    effect: 's: the magnitudes to start from; larger starts with more zeros',
  },
  {
    name: 'sizeSmoothing',
    type: 'number',
    default: 0.05,
    min: 0,
    max: 1,
    open: 'max',
    effect: 'ς: lifts the entropy weight of small layers; at 0 it is proportional to the layer size',
  },
  {
    name: 'probabilityFloor',
    type: 'number',
    default: 0.5,
    min: 0.5,
    max: 1,
    open: 'max',
    effect:
      'the least probability of zero in the entropy term; larger favours zeros on the sign that binds less',
  },
  {
    name: 'publishedFloor',
    type: 'boolean',
    default: false,
    effect:
      'takes the floor from − and then from + of what is left, as the authors’ code does (no longer sums to 1)',
  },
  {
    name: 'magnitudeFloor',
    type: 'number',
    default: 0.675,
    min: 0,
    max: 10,
    unit: 'standard deviation of the latent weight',
    effect: 'keeps a magnitude from collapsing to zero',
  },
  {
    name: 'latentGradientScaling',
    type: 'boolean',
    default: true,
    effect:
      'multiplies the gradient of a latent weight by its magnitude (1 on zeros); without it, the identity',
  },
  {
    name: 'publishedSign',
    type: 'boolean',
    default: false,
    effect: 'moves w_n with the gradient +Σ g as printed instead of the derivative −Σ g',
  },
] as const satisfies readonly MethodOption[]

export const ec2tPresets = [
  {
    name: 'ec2t-mnist',
    description: 'the schedule of the EC2T code on LeNet-5, from a float network',
    config: {
      model: 'lenet5',
      epochs: 20,
      frozenEpochs: 15,
      schedule: { kind: 'constant', warmUpEpochs: 0 },
    },
  },
] as const satisfies readonly MethodPreset[]

export type Ec2tOptions = OptionValues<typeof ec2tOptions>

/** γ·δ_l: the layer's share of the entropy weight by its size, eq. 4.8 and 4.9. */
export function layerEntropyWeight(
  { entropyWeight, sizeSmoothing }: Pick<Ec2tOptions, 'entropyWeight' | 'sizeSmoothing'>,
  { size, largestSize }: Pick<LayerContext, 'size' | 'largestSize'>,
): number {
  return (entropyWeight * (size / Math.max(1, largestSize) + sizeSmoothing)) / (1 + sizeSmoothing)
}
