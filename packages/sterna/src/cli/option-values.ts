/** Reads the values of options; every message names the option, what it takes and what was given. */
import { closest, SternaError } from '../core/index.ts'

/** A reader of whole numbers from `min` to `max`. */
export function wholeNumber(
  option: string,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return text => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
    throw optionError(option, `a whole number ${range}`, text)
  }
}

/** A number ≥ 0, e.g. `1e-4`. */
export function positiveNumber(option: string): (text: string) => number {
  return text => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (Number.isFinite(value) && value >= 0) return value
    throw optionError(option, 'a number ≥ 0', text)
  }
}

/** A share from 0 to 1. */
export function fraction(option: string): (text: string) => number {
  const number = positiveNumber(option)
  return text => {
    const value = number(text)
    if (value <= 1) return value
    throw optionError(option, 'a fraction from 0 to 1', text)
  }
}

/** One of some words; the message names the nearest. */
export function oneOf<Word extends string>(option: string, words: readonly Word[]): (text: string) => Word {
  return text => {
    const found = words.find(word => word === text)
    if (found !== undefined) return found
    throw optionError(option, words.join(', '), text, `did you mean ${closest(text, words)[0]}?`)
  }
}

/** One number for all of `keys`, or `key=number` for some of them: `1e-4` or `latent=1e-5,rest=1e-4`. */
export function numberOrGroups<Key extends string>(
  option: string,
  keys: readonly Key[],
): (text: string) => number | Partial<Record<Key, number>> {
  const number = positiveNumber(option)
  return text => {
    if (!text.includes('=')) return number(text)
    const groups: Partial<Record<Key, number>> = {}
    for (const item of text.split(',')) {
      const [name = '', value = ''] = item.split('=')
      groups[oneOf(option, keys)(name.trim())] = number(value)
    }
    return groups
  }
}

/** Collects an option that may be given several times. */
export function repeated(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text]
}

function optionError(option: string, expected: string, found: string, hint?: string): SternaError {
  return new SternaError('usage/option', `${option}: expected ${expected}, found "${found}"`, {
    ...(hint !== undefined && { hint }),
    detail: { option, expected, found },
  })
}
