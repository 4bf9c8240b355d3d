import type { PackedModel } from '../file/types.ts'
import { countNonZeros, type Kernel } from './choose.ts'
import { type Shape, sizeOf } from './shape.ts'
import type { Step } from './steps.ts'

/** Sizes in bytes of what the list kernels read; `kernels/wasm` writes exactly this. */
export const recordBytes = { equal: 16, two: 20, weighted: 8, max: 4, mean: 16 } as const
const offsetBytes = 4
const weightedEntryBytes = 8

/** Outputs of one block of a dense matrix: eight vectors of four. */
export const denseBlock = 32

/** How many bytes the weights of a step take in the form its kernel reads. */
export function preparedBytes(
  step: Step,
  kernel: Kernel,
  model: PackedModel,
  shapes: ReadonlyMap<string, Shape>,
): number {
  if (step.kind === 'linear') {
    const { weight, filters, depth } = step
    const entries = weight.kind === 'ternary' ? countNonZeros(weight) : sizeOf(weight.shape)
    switch (kernel.name) {
      case 'add-lists':
      case 'gather-lists':
        return filters * recordBytes[kernel.magnitudes] + entries * offsetBytes
      case 'dense-tiles':
        return filters * recordBytes.weighted + entries * weightedEntryBytes
      default:
        // Rows of a multiple of four outputs, one for each input and one for the bias.
        return 4 * Math.ceil(filters / 4) * 4 * (depth + 1)
    }
  }
  if (kernel.name === 'pool-tiles') {
    const channels = shapes.get(step.output)![1]!
    return channels * (recordBytes[kernel.pool] + kernel.window[0] * kernel.window[1] * offsetBytes)
  }
  const stored = step.node.inputs.filter(name => model.tensors.has(name))
  return stored.reduce((bytes, name) => bytes + 4 * sizeOf(shapes.get(name)!), 0)
}
