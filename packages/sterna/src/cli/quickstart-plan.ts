/** What `sterna quickstart` trains: a float network and two ternary ones from it, sized for three minutes. */
import type { Dataset } from '../data/index.ts'
import { type ConfigOverrides, defaultConfig, type TrainConfig } from '../train/index.ts'

export interface QuickTraining {
  readonly method: 'float' | 'twn' | 'ec2t'
  readonly config: TrainConfig
}

const QUICK_MODEL = 'lenet5'
const BATCH_SIZE = 100

/** Images that a training may look at, with repetitions: so much fits into the time, whatever the set's size. */
const budgetImages = { float: 96_000, ternary: 48_000, frozen: 20_000 } as const

/**
 * Large steps for few epochs: the accuracies are those of a short training, below what the methods reach.
 * `epochs` replaces the number of epochs that the budget allows.
 */
export function planQuickstart(
  dataset: Dataset,
  spec: string,
  options: { readonly seed: number; readonly epochs?: number },
): readonly QuickTraining[] {
  const epochsFor = (images: number) =>
    options.epochs ?? Math.max(1, Math.round(images / dataset.train.count))
  const common: ConfigOverrides = {
    validation: Math.min(2000, Math.floor(dataset.train.count / 10)),
    batchSize: BATCH_SIZE,
    seed: options.seed,
    select: 'last',
    schedule: { kind: 'cosine', final: 0, warmUpEpochs: 0 },
  }
  const plan = (method: QuickTraining['method'], overrides: ConfigOverrides): QuickTraining => ({
    method,
    config: defaultConfig(
      QUICK_MODEL,
      method,
      { spec, normalization: dataset.normalization },
      { ...common, ...overrides },
    ),
  })
  return [
    plan('float', { epochs: epochsFor(budgetImages.float), learningRate: 0.05 }),
    plan('twn', { epochs: epochsFor(budgetImages.ternary), frozenEpochs: 0, learningRate: 0.02 }),
    plan('ec2t', {
      epochs: epochsFor(budgetImages.ternary),
      frozenEpochs: Math.floor(budgetImages.frozen / dataset.train.count),
      learningRate: { latent: 2e-4, state: 1e-4, rest: 2e-4 },
      methodOptions: { entropyWeight: 0.5 },
    }),
  ]
}

/** Command lines that train the same three networks with their methods' own settings. */
export function fullCommands(spec: string): readonly string[] {
  return [
    `sterna train --model ${QUICK_MODEL} --data ${spec} --method float --out runs/float`,
    `sterna train --data ${spec} --method twn --from runs/float --out runs/twn`,
    `sterna train --data ${spec} --method ec2t --from runs/float --out runs/ec2t`,
  ]
}
