/** `--config FILE.json`: the fields of a run's `config.json`, all of them or some. */
import { readFileBytes } from '../core/index.node.ts'
import { closest, SternaError } from '../core/index.ts'
import { findPreset, layerRules } from '../ternary/index.ts'
import { lossNames, parameterGroups, type TrainConfig } from '../train/index.ts'

export type ConfigFile = Partial<TrainConfig>

type Check = (value: unknown) => boolean

const isNumber: Check = value => typeof value === 'number' && Number.isFinite(value)
const isText: Check = value => typeof value === 'string'
const isFlag: Check = value => typeof value === 'boolean'
const isNumbers: Check = value => Array.isArray(value) && value.length > 0 && value.every(isNumber)
const word =
  (words: readonly string[]): Check =>
  value =>
    typeof value === 'string' && words.includes(value)
const record =
  (fields: Readonly<Record<string, Check>>): Check =>
  value =>
    isObject(value) &&
    Object.keys(value).every(name => Object.hasOwn(fields, name)) &&
    Object.entries(fields).every(([name, check]) => check(value[name]))
const either =
  (...checks: readonly Check[]): Check =>
  value =>
    checks.some(check => check(value))

const optimiser = either(
  record({ kind: word(['sgd']), momentum: isNumber, nesterov: isFlag }),
  record({ kind: word(['adam']), beta1: isNumber, beta2: isNumber, epsilon: isNumber }),
)
const optimiserText =
  '{ "kind": "sgd", "momentum", "nesterov" } or { "kind": "adam", "beta1", "beta2", "epsilon" }'
const perGroup = record({ latent: isNumber, state: isNumber, rest: isNumber })
const warmUpEpochs = isNumber
const range = record({ scale: isNumber, zero: isNumber, max: isNumber })
const isGroup = word(parameterGroups)

/** What each field must look like, and how to say so. */
const fields: Readonly<Record<keyof TrainConfig, readonly [check: Check, expected: string]>> = {
  model: [isText, 'the name of a network'],
  data: [isText, 'a data set such as "mnist:DIR"'],
  validation: [isNumber, 'a number of images'],
  augmentation: [record({ pad: isNumber, flip: isFlag }), '{ "pad": number, "flip": true | false }'],
  normalization: [record({ mean: isNumbers, std: isNumbers }), '{ "mean": [numbers], "std": [numbers] }'],
  method: [isText, 'the name of a method'],
  methodOptions: [isObject, 'an object'],
  layers: [either(word(layerRules), Array.isArray), `${layerRules.join(', ')} or a list of rows`],
  loss: [word(lossNames), lossNames.join(', ')],
  optimiser: [optimiser, optimiserText],
  groupOptimisers: [
    value =>
      isObject(value) && Object.entries(value).every(([group, item]) => isGroup(group) && optimiser(item)),
    `an object with ${parameterGroups.join(', ')} or some of them, each ${optimiserText}`,
  ],
  learningRate: [perGroup, '{ "latent": number, "state": number, "rest": number }'],
  weightDecay: [perGroup, '{ "latent": number, "state": number, "rest": number }'],
  schedule: [
    either(
      record({ kind: word(['constant']), warmUpEpochs }),
      record({ kind: word(['step']), warmUpEpochs, epochs: isNumbers, factor: isNumber }),
      record({ kind: word(['cosine']), warmUpEpochs, final: isNumber }),
    ),
    '{ "kind": "constant" | "step" | "cosine", "warmUpEpochs": number, … }',
  ],
  epochs: [isNumber, 'a number'],
  frozenEpochs: [isNumber, 'a number'],
  batchSize: [isNumber, 'a number'],
  seed: [isNumber, 'a number'],
  select: [word(['best-validation', 'last']), 'best-validation or last'],
  activations: [
    value => isObject(value) && Object.values(value).every(range),
    'an object of { "scale", "zero", "max" } by names of values',
  ],
}

/** Reads and checks the file; a run's own config.json is taken too. */
export function readConfigFile(file: string): ConfigFile {
  let content: unknown
  try {
    content = JSON.parse(new TextDecoder().decode(readFileBytes(file, { maxBytes: 1 << 20 })))
  } catch (cause) {
    if (cause instanceof SternaError) throw cause
    throw new SternaError('train/config', `${file}: not JSON (${(cause as Error).message})`, { cause })
  }
  const config = isObject(content) && isObject(content.config) ? content.config : content
  if (!isObject(config))
    throw new SternaError('train/config', `${file}: expected an object of training options`)
  return checkFields(config, file)
}

/** A method's preset as the fields it sets. */
export function readPreset(name: string): ConfigFile {
  const { method, config } = findPreset(name)
  return { method, ...checkFields(config, `preset ${name}`) }
}

function checkFields(config: Readonly<Record<string, unknown>>, file: string): ConfigFile {
  for (const [name, value] of Object.entries(config)) {
    if (!Object.hasOwn(fields, name)) {
      throw new SternaError('train/config', `${file}: there is no training option "${name}"`, {
        hint: `did you mean ${closest(name, Object.keys(fields))[0]}?`,
      })
    }
    const [check, expected] = fields[name as keyof TrainConfig]
    if (check(value)) continue
    throw new SternaError(
      'train/config',
      `${file}: ${name}: expected ${expected}, found ${JSON.stringify(value)?.slice(0, 120)}`,
    )
  }
  return config as ConfigFile
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
