/** Ranges of activations for timing integer arithmetic where a network comes without any. */
import { type ActivationRange, integerValues, type PackedModel } from 'sterna-runtime'
import { exportOnnx } from '../../graph/onnx/index.ts'
import { toModel } from '../../pack/index.ts'
import { randomImages } from './inference-networks.ts'
import { measureRanges } from './measure-ranges.ts'
import type { MeasuredRange } from './quantize-onnx.ts'

const measuredImages = 8

/** With ranges that some random images take. */
export async function withRandomRanges(packed: PackedModel): Promise<PackedModel> {
  const images = randomImages(packed.inputs[0]!.shape, measuredImages)
  return withRanges(packed, await measureRanges(exportOnnx(toModel(packed)), images))
}

/**
 * From the smallest to the largest number of each value, in as many levels as `pack --calibrate` takes: good enough to time,
 * not to classify with.
 */
export function withRanges(packed: PackedModel, measured: ReadonlyMap<string, MeasuredRange>): PackedModel {
  const activations = new Map(
    integerValues(packed).map(({ name, maxLevel, fastLevel }): [string, ActivationRange] => {
      const { min, max } = measured.get(name)!
      const levels = Math.min(fastLevel, maxLevel)
      const scale = Math.fround(Math.max(max - min, 1e-6) / levels)
      return [name, { scale, zero: Math.min(levels, Math.round(-min / scale)), max: levels }]
    }),
  )
  return { ...packed, activations }
}
