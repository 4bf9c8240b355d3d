/** The options of `sterna train` that decide the result, and the configuration they make. */
import type { Command } from 'commander'
import { SternaError } from '../core/index.ts'
import { type AugmentationName, augmentationNamed, augmentations, type Dataset } from '../data/index.ts'
import { zoo } from '../models/index.ts'
import { type LayerRule, layerRules, methods, readMethodOption } from '../ternary/index.ts'
import {
  type ConfigOverrides,
  defaultConfig,
  type GroupNumbers,
  type LossName,
  lossNames,
  type OptimiserConfig,
  parameterGroups,
  parseSchedule,
  type TrainConfig,
} from '../train/index.ts'
import { type ConfigFile, readConfigFile, readPreset } from './config-file.ts'
import type { FloatSource } from './load-model.ts'
import {
  addNormalizationOptions,
  chooseNormalization,
  type NormalizationOptions,
} from './normalization-options.ts'
import { numberOrGroups, oneOf, positiveNumber, repeated, wholeNumber } from './option-values.ts'

/** Options as parsed; those not given are absent. */
export interface TrainFlags extends NormalizationOptions {
  readonly model?: string
  readonly data?: string
  readonly method?: string
  readonly config?: string
  readonly preset?: string
  readonly option?: readonly string[]
  readonly layers?: LayerRule
  readonly epochs?: number
  readonly frozenEpochs?: number
  readonly batchSize?: number
  readonly learningRate?: GroupNumbers
  readonly weightDecay?: GroupNumbers
  readonly optimiser?: OptimiserConfig['kind']
  readonly schedule?: string
  readonly warmUp?: number
  readonly loss?: LossName
  readonly augmentation?: AugmentationName
  readonly validation?: number
  readonly select?: TrainConfig['select']
  readonly seed?: number
}

const groups = parameterGroups.join(', ')

export function addTrainOptions(command: Command): Command {
  command
    .option('--model <name>', `network: ${zoo.map(entry => entry.name).join(', ')}`)
    .option('--data <spec>', 'mnist:DIR, cifar10:DIR or glyphs')
    .option('--method <name>', methods.map(method => method.name).join(', '), oneOf('--method', methodNames))
    .option(
      '--config <file>',
      'take options from a JSON file, e.g. another run’s config.json; flags go before it',
    )
    .option(
      '--preset <name>',
      `a paper’s settings: ${presetNames.join(', ')}; --config and flags go before it`,
    )
    .option('--option <name=value>', 'an option of the method, listed below; may be repeated', repeated)
    .option(
      '--layers <rule>',
      `${layerRules.join(', ')} (default: the method’s own)`,
      oneOf('--layers', layerRules),
    )
    .option('--epochs <n>', 'epochs of training', wholeNumber('--epochs', 0, 100_000))
    .option(
      '--frozen-epochs <n>',
      'epochs after them in which the assignment is frozen',
      wholeNumber('--frozen-epochs', 0, 100_000),
    )
    .option('--batch-size <n>', 'images of a step (default: 50)', wholeNumber('--batch-size', 2, 65_536))
    .option(
      '--learning-rate <x>',
      `for all parameters, or by group (${groups}): latent=1e-4,state=1e-5`,
      numberOrGroups('--learning-rate', parameterGroups),
    )
    .option(
      '--weight-decay <x>',
      'the same for the L2 coefficient',
      numberOrGroups('--weight-decay', parameterGroups),
    )
    .option('--optimiser <name>', 'sgd (momentum 0.9) or adam', oneOf('--optimiser', ['sgd', 'adam']))
    .option('--schedule <text>', 'constant, cosine, or step:EPOCH,EPOCH[xFACTOR]')
    .option(
      '--warm-up <epochs>',
      'epochs over which the learning rate rises from 0',
      positiveNumber('--warm-up'),
    )
    .option('--loss <name>', lossNames.join(', '), oneOf('--loss', lossNames))
    .option(
      '--augmentation <name>',
      Object.keys(augmentations).join(', '),
      oneOf('--augmentation', Object.keys(augmentations) as AugmentationName[]),
    )
    .option('--validation <n>', 'training images held out for choices', wholeNumber('--validation', 0))
    .option(
      '--select <rule>',
      'best-validation or last: the epoch whose network is kept',
      oneOf('--select', ['best-validation', 'last']),
    )
    .option('--seed <n>', 'decides initial weights, order, augmentation and split', wholeNumber('--seed', 0))
  return addNormalizationOptions(command)
}

const presetNames = methods.flatMap(method => method.presets.map(preset => preset.name))
const methodNames = methods.map(method => method.name)

/** Which fields a run started from another one takes over: what the images and the split are must not change. */
const inherited = [
  'validation',
  'seed',
  'augmentation',
  'loss',
] as const satisfies readonly (keyof TrainConfig)[]

/** What every configuration must say; the rest has defaults. */
export type ConfigBase = ConfigFile & Pick<TrainConfig, 'model' | 'data' | 'method'>

/** The preset and over it the file of --config, with model, data and method from flags, file or parent run, in this order. */
export function readBase(flags: TrainFlags, parent: TrainConfig | undefined): ConfigBase {
  const { methodOptions, ...file }: ConfigFile = {
    ...(flags.preset !== undefined && readPreset(flags.preset)),
    ...(flags.config !== undefined && readConfigFile(flags.config)),
  }
  const need = (name: 'model' | 'data' | 'method', inherited?: string): string => {
    const value = flags[name] ?? file[name] ?? inherited
    if (value !== undefined) return value
    throw new SternaError('usage/option', `train needs --${name}`, {
      hint: 'sterna train --help has examples',
    })
  }
  const method = need('method')
  return {
    ...file,
    model: need('model', parent?.model),
    data: need('data', parent?.data),
    method,
    // Options of one method mean nothing to another.
    ...(methodOptions !== undefined && (file.method ?? method) === method && { methodOptions }),
  }
}

/** The complete configuration. Precedence: flags, the file of --config, the preset, the parent run, defaults of the method. */
export function buildConfig(
  flags: TrainFlags,
  base: ConfigBase,
  parent: FloatSource | undefined,
  dataset: Dataset,
): TrainConfig {
  const { model, data, method, normalization, ...file } = base
  const fromParent = Object.fromEntries(
    inherited.flatMap(name => (parent?.config === undefined ? [] : [[name, parent.config[name]]])),
  )
  const known = normalization === undefined ? parent?.normalization : { ...normalization, from: '--config' }
  const { mean, std } = chooseNormalization(flags, known, dataset)
  const options = (flags.option ?? []).map(text => readMethodOption(method, text))
  const config = defaultConfig(
    model,
    method,
    { spec: data, normalization: { mean, std } },
    {
      ...smallSetDefaults(dataset),
      ...fromParent,
      ...file,
      ...given(flags),
      methodOptions: Object.assign({}, file.methodOptions, ...options),
      ...mergeGroups('learningRate', file, flags),
      ...mergeGroups('weightDecay', file, flags),
    },
  )
  if (flags.warmUp === undefined) return config
  return { ...config, schedule: { ...config.schedule, warmUpEpochs: flags.warmUp } }
}

/** A flag for some groups leaves those of the file for the others. */
function mergeGroups(
  name: 'learningRate' | 'weightDecay',
  file: ConfigFile,
  flags: TrainFlags,
): ConfigOverrides {
  const [low, high] = [file[name], flags[name]]
  if (high === undefined) return low === undefined ? {} : { [name]: low }
  return { [name]: typeof high === 'number' ? high : { ...low, ...high } }
}

/** Sets smaller than MNIST hold out a tenth rather than 5,000 images. */
function smallSetDefaults(dataset: Dataset): ConfigOverrides {
  const tenth = Math.floor(dataset.train.count / 10)
  return tenth < 5000 ? { validation: tenth } : {}
}

/** The flags that were given, under the configuration's names. */
function given(flags: TrainFlags): ConfigOverrides {
  const { schedule, optimiser, augmentation } = flags
  const plain = [
    'layers',
    'epochs',
    'frozenEpochs',
    'batchSize',
    'loss',
    'validation',
    'select',
    'seed',
  ] as const satisfies readonly (keyof TrainFlags)[]
  return {
    ...Object.fromEntries(plain.flatMap(name => (flags[name] === undefined ? [] : [[name, flags[name]]]))),
    ...(schedule !== undefined && { schedule: parseSchedule(schedule, 0) }),
    ...(augmentation !== undefined && { augmentation: augmentationNamed(augmentation) }),
    ...(optimiser !== undefined && { optimiser: optimisers[optimiser] }),
  }
}

/** The optimisers by name, with the usual constants. */
export const optimisers: Readonly<Record<OptimiserConfig['kind'], OptimiserConfig>> = {
  sgd: { kind: 'sgd', momentum: 0.9, nesterov: false },
  adam: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
}
