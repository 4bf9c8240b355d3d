/** Options of a method: described once, for validation, for `--help` and for the documentation. */
import { closest, SternaError } from '../core/index.ts'

interface OptionText {
  readonly name: string
  /** What a larger value or the other choice does. */
  readonly effect: string
  /** What one unit of the value is; absent for plain ratios, choices and switches. */
  readonly unit?: string
}

export interface NumberOption extends OptionText {
  readonly type: 'number'
  readonly default: number
  readonly min: number
  readonly max: number
  /** Whether `min` or `max` itself is outside the range. */
  readonly open?: 'min' | 'max'
}

export interface BooleanOption extends OptionText {
  readonly type: 'boolean'
  readonly default: boolean
}

export interface ChoiceOption extends OptionText {
  readonly type: 'choice'
  readonly default: string
  readonly choices: readonly string[]
}

export type MethodOption = NumberOption | BooleanOption | ChoiceOption

type OptionValue<Option extends MethodOption> = Option extends ChoiceOption
  ? Option['choices'][number]
  : Option extends BooleanOption
    ? boolean
    : number

/** The values that a list of options asks for, by name. */
export type OptionValues<Options extends readonly MethodOption[]> = {
  readonly [Option in Options[number] as Option['name']]: OptionValue<Option>
}

/** The range or the choices in words, e.g. `(0, 1]` or `layer | filter`. */
export function describeValues(option: MethodOption): string {
  switch (option.type) {
    case 'number': {
      const { min, max, open } = option
      return `${open === 'min' ? '(' : '['}${min}, ${max}${open === 'max' ? ')' : ']'}`
    }
    case 'boolean':
      return 'true | false'
    case 'choice':
      return option.choices.join(' | ')
    default:
      return option satisfies never
  }
}

/** Every option of the method with its given or default value, checked. */
export function resolveOptions<const Options extends readonly MethodOption[]>(
  method: string,
  known: Options,
  given: Readonly<Record<string, unknown>>,
): OptionValues<Options> {
  for (const name of Object.keys(given)) findOption(method, known, name)
  const values = known.map(option => {
    const value = given[option.name]
    return [option.name, value === undefined ? option.default : checkValue(method, option, value)]
  })
  return Object.fromEntries(values) as OptionValues<Options>
}

/** Reads `name=value`, as given on a command line. */
export function readOption(
  method: string,
  known: readonly MethodOption[],
  text: string,
): Record<string, number | boolean | string> {
  const split = text.indexOf('=')
  if (split < 1) {
    throw new SternaError('quantizer/option', `${method}: expected option=value, found "${text}"`)
  }
  const option = findOption(method, known, text.slice(0, split))
  const word = text.slice(split + 1)
  let value: unknown = word
  if (option.type === 'number' && word.trim() !== '') value = Number(word)
  if (option.type === 'boolean') value = word === 'true' ? true : word === 'false' ? false : word
  return { [option.name]: checkValue(method, option, value) }
}

function findOption(method: string, known: readonly MethodOption[], name: string): MethodOption {
  const option = known.find(candidate => candidate.name === name)
  if (option !== undefined) return option
  const names = known.map(candidate => candidate.name)
  throw new SternaError('quantizer/option', `method "${method}" has no option "${name}"`, {
    hint:
      names.length === 0
        ? 'this method takes no options'
        : `did you mean ${closest(name, names).join(', ')}?`,
    detail: { method, option: name, known: names },
  })
}

function checkValue(method: string, option: MethodOption, value: unknown): number | boolean | string {
  if (option.type === 'boolean' && typeof value === 'boolean') return value
  if (option.type === 'choice' && typeof value === 'string' && option.choices.includes(value)) return value
  if (option.type === 'number' && typeof value === 'number') {
    const { min, max, open } = option
    const above = open === 'min' ? value > min : value >= min
    const below = open === 'max' ? value < max : value <= max
    if (above && below) return value
  }
  throw new SternaError(
    'quantizer/option',
    `method "${method}", option "${option.name}": expected ${describeValues(option)}, found ${describeValue(value)}`,
    { detail: { method, option: option.name, expected: describeValues(option), found: value } },
  )
}

function describeValue(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value)
}
