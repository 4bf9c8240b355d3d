/** The table of methods: the only place that knows them by name. */
import { closest, SternaError } from '../core/index.ts'
import { bpwnOptions, bpwnPresets, createBpwn } from './bpwn.ts'
import { createEc2t } from './ec2t.ts'
import { ec2tOptions, ec2tPresets } from './ec2t-options.ts'
import { createFixed } from './fixed.ts'
import { type MethodOption, type OptionValues, readOption, resolveOptions } from './options.ts'
import type { MethodPreset } from './preset.ts'
import { createTga, tgaOptions, tgaPresets } from './tga.ts'
import { createTtq, ttqOptions, ttqPresets } from './ttq.ts'
import { createTwn, twnOptions, twnPresets } from './twn.ts'
import type { Quantizer } from './types.ts'

export interface Method {
  readonly name: string
  /** One line for a list. */
  readonly description: string
  readonly options: readonly MethodOption[]
  readonly presets: readonly MethodPreset[]
  /** Undefined for a method that quantizes nothing. Options left out take their defaults. */
  create(options: Readonly<Record<string, unknown>>): Quantizer | undefined
}

function define<const Options extends readonly MethodOption[]>(
  name: string,
  description: string,
  options: Options,
  create: (options: OptionValues<Options>) => Quantizer | undefined,
  presets: readonly MethodPreset[] = [],
): Method {
  return {
    name,
    description,
    options,
    presets,
    create: given => create(resolveOptions(name, options, given)),
  }
}

const table: Method[] = [
  define('float', 'no quantization: every layer keeps its float weights', [], () => undefined),
  define(
    'bpwn',
    'binary weights −1 and +1 by sign, the control of the TWN paper',
    bpwnOptions,
    createBpwn,
    bpwnPresets,
  ),
  define(
    'twn',
    'ternary weights by a threshold on |w|, with the magnitude of least squared error',
    twnOptions,
    createTwn,
    twnPresets,
  ),
  define(
    'ec2t',
    'ternary weights with two learned magnitudes, assigned under an entropy constraint',
    ec2tOptions,
    createEc2t,
    ec2tPresets,
  ),
  define(
    'ttq',
    'ternary weights with two learned magnitudes under a fixed threshold',
    ttqOptions,
    createTtq,
    ttqPresets,
  ),
  define(
    'tga',
    'ternary weights with a learned threshold, the magnitude following from a Gaussian',
    tgaOptions,
    createTga,
    tgaPresets,
  ),
  define(
    'fixed',
    'weights that are ternary already keep their assignment, to fine-tune the rest',
    [],
    createFixed,
  ),
]

/** Every method there is, those that were added included. */
export const methods: readonly Method[] = table

/** What a method of one's own has to say; without options or presets it has none. */
export type NewMethod = Pick<Method, 'name' | 'description' | 'create'> &
  Partial<Pick<Method, 'options' | 'presets'>>

/** Makes a method known by its name, for configurations and layer tables. */
export function addMethod({ name, description, options = [], presets = [], create }: NewMethod): void {
  if (methods.some(method => method.name === name))
    throw new SternaError('quantizer/option', `there is a method named "${name}" already`)
  table.push({
    name,
    description,
    options,
    presets,
    create: given => create(resolveOptions(name, options, given)),
  })
}

/** The method of this name, or an error that names the nearest ones. */
export function findMethod(name: string): Method {
  const method = methods.find(candidate => candidate.name === name)
  if (method !== undefined) return method
  const known = methods.map(candidate => candidate.name)
  throw new SternaError('quantizer/option', `no method is named "${name}"`, {
    hint: `did you mean ${closest(name, known).join(', ')}?`,
    detail: { method: name, known },
  })
}

/** The preset of this name and its method, or an error that names the nearest ones. */
export function findPreset(name: string): MethodPreset & { readonly method: string } {
  const all = methods.flatMap(({ name: method, presets }) => presets.map(preset => ({ ...preset, method })))
  const found = all.find(preset => preset.name === name)
  if (found !== undefined) return found
  const known = all.map(preset => preset.name)
  throw new SternaError('quantizer/option', `no preset is named "${name}"`, {
    hint: `did you mean ${closest(name, known).join(', ')}?`,
    detail: { preset: name, known },
  })
}

/** A configured quantizer; undefined for 'float', which quantizes nothing. Options left out take defaults. */
export function createQuantizer(
  method: string,
  options: Readonly<Record<string, unknown>> = {},
): Quantizer | undefined {
  return findMethod(method).create(options)
}

/** An option given as text, `name=value`, with the value in its type. */
export function readMethodOption(method: string, text: string): Record<string, number | boolean | string> {
  const found = findMethod(method)
  return readOption(found.name, found.options, text)
}
