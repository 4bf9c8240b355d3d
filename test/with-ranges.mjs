import { integerValues } from '../packages/runtime/dist/index.js'

/** The model with ranges of activations, for integer arithmetic; which ones matters to accuracy only. */
export function withRanges(model) {
  const ranges = integerValues(model).map(({ name, maxLevel, fastLevel }) => {
    const max = Math.min(maxLevel, fastLevel)
    return [name, { scale: 0.0625, zero: max >> 1, max }]
  })
  return { ...model, activations: new Map(ranges) }
}
