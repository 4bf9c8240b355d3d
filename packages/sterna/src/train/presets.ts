/** Complete configurations from a network, a method and what the user changed. */
import { augmentations, type Normalization, normalizationPresets } from '../data/index.ts'
import { zooEntry } from '../models/index.ts'
import { createQuantizer, type GroupAdvice, type OptimiserAdvice } from '../ternary/index.ts'
import { type OptimiserConfig, type PerGroup, parameterGroups, type TrainConfig } from './config.ts'

const sgd: OptimiserConfig = { kind: 'sgd', momentum: 0.9, nesterov: false }
const adam: OptimiserConfig = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }

const advised: Readonly<Record<NonNullable<GroupAdvice['optimiser']>, OptimiserConfig>> = {
  sgd,
  'plain-sgd': { kind: 'sgd', momentum: 0, nesterov: false },
  adam,
}

/** What `--learning-rate` and `--weight-decay` set: one number for all groups, or one for each. */
export type GroupNumbers = number | Partial<PerGroup>

export type ConfigOverrides = Partial<
  Omit<TrainConfig, 'model' | 'method' | 'learningRate' | 'weightDecay'>
> & {
  readonly learningRate?: GroupNumbers
  readonly weightDecay?: GroupNumbers
}

/**
 * The configuration for training `model` by `method`. Methods that were published with an optimiser of their own
 * bring it; the others train as the TWN paper does (SGD with momentum 0.9, weight decay 1e-4, rate ÷ 10 at half and
 * at five sixths of the epochs; its table 1).
 */
export function defaultConfig(
  model: string,
  method: string,
  data: { readonly spec: string; readonly normalization?: Normalization },
  overrides: ConfigOverrides = {},
): TrainConfig {
  const { learningRate, weightDecay, ...rest } = overrides
  const quantizer = createQuantizer(method, overrides.methodOptions)
  const advice = quantizer?.optimiser
  const optimiser = rest.optimiser ?? (advice?.optimiser === 'adam' ? adam : sgd)
  const epochs = rest.epochs ?? (advice === undefined ? 30 : 20)
  const baseRate = optimiser.kind === 'adam' ? 1e-4 : 0.01
  const groupOptimisers = rest.groupOptimisers ?? (rest.optimiser === undefined ? ownOptimisers(advice) : {})
  const perGroup = (of: 'learningRate' | 'weightDecay', fallback: number) =>
    Object.fromEntries(
      parameterGroups.map(group => [group, advice?.[group]?.[of] ?? fallback]),
    ) as unknown as PerGroup
  return {
    model,
    data: data.spec,
    validation: 5000,
    augmentation: augmentations.none,
    normalization: data.normalization ?? presetOf(model),
    method,
    loss: 'cross-entropy',
    schedule:
      advice === undefined
        ? {
            kind: 'step',
            epochs: [Math.round(epochs / 2), Math.round((epochs * 5) / 6)],
            factor: 0.1,
            warmUpEpochs: 0,
          }
        : { kind: 'constant', warmUpEpochs: 0 },
    frozenEpochs: quantizer?.freeze === undefined ? 0 : 5,
    batchSize: 50,
    seed: 1,
    select: rest.validation === 0 ? 'last' : 'best-validation',
    ...rest,
    methodOptions: quantizer?.options ?? {},
    optimiser,
    ...(Object.keys(groupOptimisers).length > 0 && { groupOptimisers }),
    epochs,
    learningRate: merge(perGroup('learningRate', baseRate), learningRate),
    weightDecay: merge(perGroup('weightDecay', 1e-4), weightDecay),
  }
}

/** The optimisers of groups that the method's authors step in another way than the others. */
function ownOptimisers(advice: OptimiserAdvice | undefined): NonNullable<TrainConfig['groupOptimisers']> {
  return Object.fromEntries(
    parameterGroups.flatMap(group => {
      const name = advice?.[group]?.optimiser
      return name === undefined ? [] : [[group, advised[name]]]
    }),
  )
}

function merge(base: PerGroup, change: GroupNumbers | undefined): PerGroup {
  return typeof change === 'number' ? { latent: change, state: change, rest: change } : { ...base, ...change }
}

function presetOf(model: string): Normalization {
  const { normalization } = zooEntry(model)
  const preset = Object.entries(normalizationPresets).find(([name]) => name === normalization)
  return preset?.[1] ?? normalizationPresets.unit
}
