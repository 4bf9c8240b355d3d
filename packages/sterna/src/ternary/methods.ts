/** The table of methods: the only place that knows them by name. */
import { closest, SternaError } from '../core/index.ts'
import { bpwnOptions, createBpwn } from './bpwn.ts'
import { createEc2t } from './ec2t.ts'
import { ec2tOptions } from './ec2t-options.ts'
import { type MethodOption, type OptionValues, readOption, resolveOptions } from './options.ts'
import { createTga, tgaOptions } from './tga.ts'
import { createTtq, ttqOptions } from './ttq.ts'
import { createTwn, twnOptions } from './twn.ts'
import type { Quantizer } from './types.ts'

export interface Method {
  readonly name: string
  /** One line for a list. */
  readonly description: string
  readonly options: readonly MethodOption[]
  /** Undefined for a method that quantizes nothing. Options left out take their defaults. */
  create(options: Readonly<Record<string, unknown>>): Quantizer | undefined
}

function define<const Options extends readonly MethodOption[]>(
  name: string,
  description: string,
  options: Options,
  create: (options: OptionValues<Options>) => Quantizer | undefined,
): Method {
  return { name, description, options, create: given => create(resolveOptions(name, options, given)) }
}

export const methods: readonly Method[] = [
  define('float', 'no quantization: every layer keeps its float weights', [], () => undefined),
  define('bpwn', 'binary weights −1 and +1 by sign, the control of the TWN paper', bpwnOptions, createBpwn),
  define(
    'twn',
    'ternary weights by a threshold on |w|, with the magnitude of least squared error',
    twnOptions,
    createTwn,
  ),
  define(
    'ec2t',
    'ternary weights with two learned magnitudes, assigned under an entropy constraint',
    ec2tOptions,
    createEc2t,
  ),
  define('ttq', 'ternary weights with two learned magnitudes under a fixed threshold', ttqOptions, createTtq),
  define(
    'tga',
    'ternary weights with a learned threshold, the magnitude following from a Gaussian',
    tgaOptions,
    createTga,
  ),
]

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
