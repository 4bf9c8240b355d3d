/** Everything that decides a training's result, as plain JSON; it is written into the run directory. */
import { SternaError } from '../core/index.ts'
import type { Augmentation, Normalization } from '../data/index.ts'
import type { LayerRule } from '../ternary/index.ts'
import type { LossName } from './loss.ts'
import type { Schedule } from './schedule.ts'

/** The parameters of a step that share a learning rate. */
export type ParameterGroup = 'latent' | 'state' | 'rest'

export const parameterGroups: readonly ParameterGroup[] = ['latent', 'state', 'rest']

export type OptimiserConfig =
  /** v ← momentum·v + g; w ← w − rate·v, or rate·(g + momentum·v) with Nesterov. */
  | { readonly kind: 'sgd'; readonly momentum: number; readonly nesterov: boolean }
  /** Kingma & Ba (2015), with bias correction. */
  | { readonly kind: 'adam'; readonly beta1: number; readonly beta2: number; readonly epsilon: number }

/** A number for each group: latent weights of quantized layers, quantizer state, everything else. */
export type PerGroup = Readonly<Record<ParameterGroup, number>>

export interface TrainConfig {
  /** A name from the zoo. */
  readonly model: string
  /** The data set's specification as given, e.g. `mnist:DIR`. */
  readonly data: string
  /** Training images held out for validation. */
  readonly validation: number
  readonly augmentation: Augmentation
  readonly normalization: Normalization
  /** 'float' or a ternarization method. */
  readonly method: string
  readonly methodOptions: Readonly<Record<string, unknown>>
  /** Which layers stay float; default: what the method's authors do. */
  readonly layers?: LayerRule
  readonly loss: LossName
  readonly optimiser: OptimiserConfig
  readonly learningRate: PerGroup
  /** L2 coefficient added to the gradient. */
  readonly weightDecay: PerGroup
  readonly schedule: Schedule
  readonly epochs: number
  /** Epochs after `epochs` in which the assignment is frozen (EC2T's phase B). */
  readonly frozenEpochs: number
  readonly batchSize: number
  readonly seed: number
  /** Which epoch's network a phase ends with. */
  readonly select: 'best-validation' | 'last'
}

/** Checks ranges that types cannot; the message names the option. */
export function checkConfig(config: TrainConfig): void {
  const whole = (name: keyof TrainConfig, low: number, high: number) => {
    const value = config[name]
    if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) {
      throw new SternaError(
        'train/config',
        `${name}: expected a whole number from ${low} to ${high}, found ${value}`,
      )
    }
  }
  whole('epochs', 0, 100_000)
  whole('frozenEpochs', 0, 100_000)
  whole('batchSize', 2, 65_536)
  whole('validation', 0, 10_000_000)
  whole('seed', 0, Number.MAX_SAFE_INTEGER)
  if (config.epochs + config.frozenEpochs === 0) {
    throw new SternaError('train/config', 'epochs: expected at least one epoch')
  }
  if (config.select === 'best-validation' && config.validation === 0) {
    throw new SternaError(
      'train/config',
      "select: 'best-validation' needs a validation split, validation is 0",
      {
        hint: "hold out images (validation: 5000) or use select: 'last'",
      },
    )
  }
  for (const group of parameterGroups) {
    for (const [name, value] of [
      ['learningRate', config.learningRate[group]],
      ['weightDecay', config.weightDecay[group]],
    ] as const) {
      if (!Number.isFinite(value) || value < 0) {
        throw new SternaError('train/config', `${name}.${group}: expected a number ≥ 0, found ${value}`)
      }
    }
  }
}
