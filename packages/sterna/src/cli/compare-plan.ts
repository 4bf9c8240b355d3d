/** What `sterna compare` trains: float parents, one a seed, and every method from each of them. */
import path from 'node:path'
import { SternaError } from '../core/index.ts'
import type { Dataset } from '../data/index.ts'
import { formatCount } from '../report/index.ts'
import { createQuantizer, findMethod, type LayerRule } from '../ternary/index.ts'
import { type ConfigOverrides, checkConfig, defaultConfig, type TrainConfig } from '../train/index.ts'
import type { PlannedRun } from './train-or-resume.ts'

export interface CompareSettings {
  readonly model: string
  readonly data: string
  readonly methods: readonly string[]
  /** Seeds 1 to this. */
  readonly seeds: number
  readonly epochs: number
  readonly batchSize: number
  readonly layers: LayerRule
  readonly out: string
}

export interface ComparedPlan extends PlannedRun {
  readonly method: string
  readonly seed: number
}

/** Adam's rate for weights at the start of the cosine; the float parents are trained by the same. */
const learningRate = 1e-3

/** The share of its epochs that a method with a frozen phase spends in it. */
const frozenShare = 0.2

/** Words for what all runs have in common. */
export function describeProtocol({ epochs, batchSize, layers }: CompareSettings, validation: number): string {
  const layerText = layers === 'all' ? 'every layer quantized' : `layers: ${layers}`
  return (
    `All from the float network of the same seed, ${epochs} epochs each, batches of ${batchSize}, ${layerText}; ` +
    `Adam at ${learningRate} falling to 0 by a cosine, thresholds and magnitudes at the rates of their methods; ` +
    `the epoch of the best accuracy on ${formatCount(validation)} held-out images is kept.`
  )
}

/** Parents first. Checks every configuration. */
export function planComparison(settings: CompareSettings, dataset: Dataset): readonly ComparedPlan[] {
  const { methods, seeds, out } = settings
  const twice = methods.find((method, index) => methods.indexOf(method) !== index)
  if (twice !== undefined) throw new SternaError('usage/option', `--methods: "${twice}" is given twice`)
  const compared = methods.map(name => findMethod(name).name).filter(name => name !== 'float')
  if (compared.length === 0) {
    throw new SternaError(
      'usage/option',
      '--methods: expected at least one method beside float, which is always there',
    )
  }
  return Array.from({ length: seeds }, (_, index) => index + 1).flatMap(seed => {
    const parent = path.join(out, `float-${seed}`)
    return ['float', ...compared].map((method): ComparedPlan => {
      const config = configOf(settings, dataset, method, seed)
      checkConfig(config)
      const directory = path.join(out, `${method}-${seed}`)
      return { method, seed, directory, config, ...(directory !== parent && { from: parent }) }
    })
  })
}

function configOf(settings: CompareSettings, dataset: Dataset, method: string, seed: number): TrainConfig {
  const { model, data, epochs, batchSize, layers } = settings
  const spec = { spec: data, normalization: dataset.normalization }
  const own = defaultConfig(model, method, spec)
  const isFreezing = createQuantizer(method)?.freeze !== undefined
  const frozenEpochs = isFreezing ? Math.floor(epochs * frozenShare) : 0
  const overrides: ConfigOverrides = {
    validation: Math.min(5000, Math.floor(dataset.train.count / 10)),
    batchSize,
    seed,
    epochs: epochs - frozenEpochs,
    frozenEpochs,
    optimiser: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    ...(own.groupOptimisers !== undefined && { groupOptimisers: own.groupOptimisers }),
    learningRate: { latent: learningRate, rest: learningRate },
    schedule: { kind: 'cosine', final: 0, warmUpEpochs: 0 },
    ...(method !== 'float' && { layers }),
  }
  return defaultConfig(model, method, spec, overrides)
}
