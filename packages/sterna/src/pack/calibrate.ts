/** Finds ranges for integer arithmetic: runs a packed network in floats on some images and watches its values. */
import { type ActivationRange, integerValues, type PackedModel } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'
import { createLoader } from '../data/index.ts'
import type { Engine } from '../engine/index.ts'
import type { EvaluationSet } from '../train/index.ts'
import { chooseRange, type RangeChoice } from './choose-range.ts'
import { toModel } from './to-model.ts'
import { ValueHistogram } from './value-histogram.ts'

export interface CalibrationOptions {
  readonly choice: RangeChoice
  /** The largest byte of a value, 1 to 255; absent: for each the largest that costs no speed (`IntegerValue.fastLevel`). */
  readonly levels?: number
  readonly batchSize: number
}

/**
 * A range for each value that the network can hold as bytes, by name; none where no layer is ternary. The same images give
 * the same ranges. Errors: 'usage/input' for a value that is not finite, 'data/invalid' for no images.
 */
export async function calibrate(
  packed: PackedModel,
  engine: Engine,
  set: EvaluationSet,
  { choice, levels, batchSize }: CalibrationOptions,
): Promise<ReadonlyMap<string, ActivationRange>> {
  if (set.images.count === 0)
    throw new SternaError('data/invalid', 'calibration: expected at least one image')
  const values = integerValues(packed)
  if (values.length === 0) return new Map()
  const histograms = new Map(values.map(({ name }) => [name, new ValueHistogram(name)]))
  await watch(packed, engine, set, batchSize, histograms)
  const ranges = values.map(({ name, maxLevel, fastLevel }) => {
    return [
      name,
      chooseRange(histograms.get(name)!, Math.min(levels ?? fastLevel, maxLevel), choice),
    ] as const
  })
  return new Map(ranges)
}

/** Gives every number of the values in `histograms` to them, twice. */
async function watch(
  packed: PackedModel,
  engine: Engine,
  set: EvaluationSet,
  batchSize: number,
  histograms: ReadonlyMap<string, ValueHistogram>,
): Promise<void> {
  const { graph, parameters } = toModel(packed, batchSize)
  const input = graph.inputs[0]!
  const outputs = [...histograms.keys()].filter(name => name !== input.name)
  const executable = await engine.load({ graph: { ...graph, outputs }, state: new Map() })
  try {
    await executable.setState(parameters)
    const loader = createLoader({ ...set, batchSize, seed: 0 })
    for (const step of ['widen', 'count'] as const) {
      for (let index = 0; index < loader.batchesPerEpoch; index++) {
        const { x, labels } = await loader.next()
        // The last batch may be smaller: its rest is zeros, which nobody counts.
        const data = new Float32Array(input.shape.reduce((product, size) => product * size, 1))
        data.set(x)
        const found = await executable.run({ [input.name]: { dtype: 'f32', shape: input.shape, data } })
        for (const [name, histogram] of histograms) {
          const numbers = name === input.name ? data : (found[name]!.data as Float32Array)
          histogram[step](numbers.subarray(0, (numbers.length / batchSize) * labels.length))
        }
      }
    }
  } finally {
    await executable.release()
  }
}
