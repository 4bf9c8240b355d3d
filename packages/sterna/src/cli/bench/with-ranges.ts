/** Ranges of activations for timing integer arithmetic where a network comes without any. */
import { type ActivationRange, integerValues, type PackedModel } from 'sterna-runtime'
import type { MeasuredRange } from './quantize-onnx.ts'

const mostLevels = 127

/** From the smallest to the largest number of each value: good enough to time, not to classify with. */
export function withRanges(packed: PackedModel, measured: ReadonlyMap<string, MeasuredRange>): PackedModel {
  const activations = new Map(
    integerValues(packed).map(({ name, maxLevel }): [string, ActivationRange] => {
      const { min, max } = measured.get(name)!
      const levels = Math.min(mostLevels, maxLevel)
      const scale = Math.fround(Math.max(max - min, 1e-6) / levels)
      return [name, { scale, zero: Math.min(levels, Math.round(-min / scale)), max: levels }]
    }),
  )
  return { ...packed, activations }
}
