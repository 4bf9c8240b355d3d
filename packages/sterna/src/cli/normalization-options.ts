/** --mean and --std: how pixels become the numbers a network takes. */
import type { Command } from 'commander'
import { type Dataset, overrideNormalization } from '../data/index.ts'
import type { KnownNormalization } from './load-model.ts'

export interface NormalizationOptions {
  readonly mean?: string
  readonly std?: string
}

export function addNormalizationOptions(command: Command): Command {
  return command
    .option(
      '--mean <values>',
      'pixel means with their unit, e.g. 0.1307@1 or 125.3,123.0,113.9@255 (default: the model’s own)',
    )
    .option('--std <values>', 'pixel deviations with their unit, e.g. 0.3081@1 (default: the model’s own)')
}

/** What the options say, over what the model says, over what suits the data set. */
export function chooseNormalization(
  options: NormalizationOptions,
  known: KnownNormalization | undefined,
  dataset?: Dataset,
): KnownNormalization {
  const base =
    known ??
    (dataset === undefined
      ? { mean: [0], std: [1], from: 'nothing known: pixels as fractions of 1' }
      : { ...dataset.normalization, from: `data set ${dataset.name}` })
  const { mean, std } = options
  if (mean === undefined && std === undefined) return base
  const given = [mean !== undefined && '--mean', std !== undefined && '--std'].filter(Boolean).join(' and ')
  return { ...overrideNormalization(base, { mean, std }), from: given }
}

/** For a person: `mean 0.1307, std 0.3081`. */
export function describeNormalization({ mean, std, from }: KnownNormalization): string {
  const list = (values: readonly number[]) => values.map(value => value.toFixed(4)).join(' ')
  return `mean ${list(mean)}, std ${list(std)} (of pixels on 0–1; from ${from})`
}
