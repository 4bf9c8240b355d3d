/** From how a value is spread to the range that holds it as bytes. */
import type { ActivationRange } from 'sterna-runtime'
import type { ValueHistogram } from './value-histogram.ts'

/**
 * 'mse': the smallest mean squared error of the numbers seen; 'percentile': all but one in ten thousand numbers lie inside;
 * 'max': all of them do.
 */
export type RangeChoice = 'mse' | 'percentile' | 'max'

export const rangeChoices: readonly RangeChoice[] = ['mse', 'percentile', 'max']

const outside = 1e-4
/** Ends are tried from all of what was seen down to a 64th of it. */
const stepsDown = 96
const stepFactor = 64 ** (-1 / stepsDown)

type Ends = readonly [low: number, high: number]

/** @param max the largest byte; a value that is never below 0 gets the byte 0 for 0 */
export function chooseRange(histogram: ValueHistogram, max: number, choice: RangeChoice): ActivationRange {
  const seen: Ends = [histogram.low, histogram.high]
  switch (choice) {
    case 'max':
      return rangeOf(seen, max)
    case 'percentile':
      return rangeOf(percentiles(histogram), max)
    case 'mse':
      return leastError(histogram, seen, max)
    default:
      return choice satisfies never
  }
}

function rangeOf([low, high]: Ends, max: number): ActivationRange {
  // A scale has a reciprocal; one of zeros alone may be any.
  const scale = Math.max(Math.fround((high - low) / max), 2 ** -100)
  return { scale, zero: Math.min(max, Math.round((0 - low) / scale)), max }
}

function percentiles(histogram: ValueHistogram): Ends {
  const entries = histogram.entries()
  const total = entries.reduce((sum, [, count]) => sum + count, histogram.zeros)
  const isOneSided = histogram.low === 0 || histogram.high === 0
  const allowed = Math.floor(total * (isOneSided ? outside : outside / 2))
  const end = (from: readonly (readonly [number, number])[], extreme: number): number => {
    let beyond = 0
    for (const [number, count] of from) {
      beyond += count
      if (beyond > allowed) return number
    }
    return extreme
  }
  return [Math.min(0, end(entries, histogram.low)), Math.max(0, end(entries.toReversed(), histogram.high))]
}

/** Both ends are drawn in together first, then each by itself while that helps. */
function leastError(histogram: ValueHistogram, [low, high]: Ends, max: number): ActivationRange {
  const entries = histogram.entries()
  let best = rangeOf([low, high], max)
  let ends: Ends = [low, high]
  let least = squaredError(entries, best)
  const tryEnds = (tried: Ends) => {
    const range = rangeOf(tried, max)
    const error = squaredError(entries, range)
    if (error >= least) return
    ;[least, best, ends] = [error, range, tried]
  }
  const factors = Array.from({ length: stepsDown }, (_, step) => stepFactor ** (step + 1))
  for (const factor of factors) tryEnds([low * factor, high * factor])
  if (low < 0 && high > 0) {
    const fixed = ends
    for (const factor of factors) tryEnds([fixed[0], high * factor])
    const [, top] = ends
    for (const factor of factors) tryEnds([low * factor, top])
  }
  return best
}

function squaredError(
  entries: readonly (readonly [number: number, count: number])[],
  { scale, zero, max }: ActivationRange,
): number {
  let error = 0
  for (const [number, count] of entries) {
    const byte = Math.min(max, Math.max(0, Math.round(number / scale) + zero))
    error += count * (number - scale * (byte - zero)) ** 2
  }
  return error
}
