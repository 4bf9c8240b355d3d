/** Everything that decides a training's result, as plain JSON; it is written into the run directory. */

import type { ActivationRange } from 'sterna-runtime'
import { activationProblem } from 'sterna-runtime/format'
import { SternaError } from '../core/index.ts'
import type { Augmentation, Normalization } from '../data/index.ts'
import { checkLayers, createQuantizer, type LayerRow, type Layers } from '../ternary/index.ts'
import { type LossName, lossNames } from './loss.ts'
import { checkSchedule, type Schedule } from './schedule.ts'

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
  /** Which layers stay float or have another method; default: what the method's authors do. */
  readonly layers?: Layers
  readonly loss: LossName
  readonly optimiser: OptimiserConfig
  /** Groups with an optimiser of their own instead. */
  readonly groupOptimisers?: Readonly<Partial<Record<ParameterGroup, OptimiserConfig>>>
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
  /** Values of the network that are rounded to what bytes can hold, forward, as integer arithmetic will; by name. */
  readonly activations?: Readonly<Record<string, ActivationRange>>
}

/** Checks what types cannot, also of a configuration read from a file; the message names the option. */
export function checkConfig(config: TrainConfig): void {
  for (const name of ['augmentation', 'normalization', 'methodOptions', 'optimiser', 'schedule'] as const) {
    expect(isObject(config[name]), name, 'an object', config[name])
  }
  const whole = (name: keyof TrainConfig, low: number, high: number) => {
    const value = config[name]
    const holds = Number.isInteger(value) && (value as number) >= low && (value as number) <= high
    expect(holds, name, `a whole number from ${low} to ${high}`, value)
  }
  whole('epochs', 0, 100_000)
  whole('frozenEpochs', 0, 100_000)
  whole('batchSize', 2, 65_536)
  whole('validation', 0, 10_000_000)
  whole('seed', 0, Number.MAX_SAFE_INTEGER)
  checkMethods(config)
  expect(config.epochs + config.frozenEpochs > 0, 'epochs', 'at least one epoch', 0)
  expect(lossNames.includes(config.loss), 'loss', lossNames.join(', '), config.loss)
  const { select } = config
  expect(select === 'best-validation' || select === 'last', 'select', 'best-validation or last', select)
  if (select === 'best-validation' && config.validation === 0) {
    throw new SternaError(
      'train/config',
      "select: 'best-validation' needs a validation split, validation is 0",
      {
        hint: "hold out images (validation: 5000) or use select: 'last'",
      },
    )
  }
  for (const name of ['learningRate', 'weightDecay'] as const) {
    for (const group of parameterGroups) {
      const value = config[name]?.[group]
      expect(Number.isFinite(value) && value >= 0, `${name}.${group}`, 'a number ≥ 0', value)
    }
  }
  checkOptimiser(config.optimiser, 'optimiser')
  checkGroupOptimisers(config.groupOptimisers ?? {})
  checkSchedule(config.schedule)
  checkActivations(config.activations ?? {})
}

function checkMethods({ method, methodOptions, layers, frozenEpochs }: TrainConfig): void {
  const quantizer = createQuantizer(method, methodOptions)
  if (layers !== undefined) checkLayers(layers, method, methodOptions)
  const rows = Array.isArray(layers) ? (layers as readonly LayerRow[]) : []
  const canFreeze =
    quantizer?.freeze !== undefined ||
    rows.some(row => row.method !== undefined && createQuantizer(row.method)?.freeze !== undefined)
  if (canFreeze) return
  const wanted = `0, because method "${method}" has no assignment to freeze`
  expect(frozenEpochs === 0, 'frozenEpochs', wanted, frozenEpochs)
}

function checkActivations(activations: NonNullable<TrainConfig['activations']>): void {
  expect(isObject(activations), 'activations', 'an object', activations)
  for (const [name, range] of Object.entries(activations)) {
    expect(isObject(range), `activations.${name}`, 'an object', range)
    const problem = activationProblem(range)
    if (problem !== undefined) throw new SternaError('train/config', `activations.${name}: ${problem}`)
  }
}

/** The optimiser that steps a group. */
export function optimiserOf(
  config: Pick<TrainConfig, 'optimiser' | 'groupOptimisers'>,
  group: ParameterGroup,
): OptimiserConfig {
  return config.groupOptimisers?.[group] ?? config.optimiser
}

function checkGroupOptimisers(groups: NonNullable<TrainConfig['groupOptimisers']>): void {
  expect(isObject(groups), 'groupOptimisers', 'an object', groups)
  for (const [group, optimiser] of Object.entries(groups)) {
    const known = parameterGroups.some(name => name === group)
    expect(known, 'groupOptimisers', `groups out of ${parameterGroups.join(', ')}`, group)
    expect(isObject(optimiser), `groupOptimisers.${group}`, 'an object', optimiser)
    checkOptimiser(optimiser, `groupOptimisers.${group}`)
  }
}

function checkOptimiser(optimiser: OptimiserConfig, where: string): void {
  const below1 = (name: string, value: number) =>
    expect(value >= 0 && value < 1, `${where}.${name}`, 'a number in [0, 1)', value)
  switch (optimiser.kind) {
    case 'sgd':
      below1('momentum', optimiser.momentum)
      expect(
        optimiser.momentum > 0 || !optimiser.nesterov,
        `${where}.nesterov`,
        'false without momentum',
        true,
      )
      break
    case 'adam':
      below1('beta1', optimiser.beta1)
      below1('beta2', optimiser.beta2)
      expect(optimiser.epsilon > 0, `${where}.epsilon`, 'a number > 0', optimiser.epsilon)
      break
    default:
      expect(false, `${where}.kind`, 'sgd or adam', (optimiser satisfies never as OptimiserConfig).kind)
  }
}

/** The options in which two configurations differ. */
export function changedOptions(a: TrainConfig, b: TrainConfig): readonly string[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof TrainConfig>
  return [...names].filter(name => canonical(a[name]) !== canonical(b[name]))
}

/** JSON with sorted names. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, item: unknown) =>
    isObject(item)
      ? Object.fromEntries(Object.entries(item).sort(([left], [right]) => (left < right ? -1 : 1)))
      : item,
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function expect(holds: boolean, option: string, wanted: string, found: unknown): void {
  if (holds) return
  throw new SternaError('train/config', `${option}: expected ${wanted}, found ${JSON.stringify(found)}`)
}
