import type { Kernel } from '../kernel.ts'
import type { Shape } from '../shape.ts'
import type { LinearStep, NodeStep } from '../steps.ts'
import { denseRunBytes } from './dense-runs.ts'

/** Sizes in bytes of what the list kernels read; `kernels/wasm` writes exactly this. */
export const recordBytes = { equal: 16, two: 20, max: 4, mean: 16 } as const
const offsetBytes = 4

/** Outputs of one block of a dense matrix: six vectors of four; more than these spill on x86-64 with V8. */
export const denseBlock = 24

/** How many bytes the weights of a step take in the form its kernel reads. */
export function preparedBytes(
  step: LinearStep | NodeStep,
  kernel: Kernel,
  shapes: ReadonlyMap<string, Shape>,
): number {
  if (step.kind === 'linear') {
    const { nonZeros, filters, depth } = step
    switch (kernel.name) {
      case 'add-lists':
      case 'gather-lists':
        return filters * recordBytes[kernel.magnitudes] + nonZeros * offsetBytes
      case 'dense-tiles':
        return kernel.runs.reduce((bytes, run) => bytes + denseRunBytes(run, depth), 0)
      default:
        // Rows of a multiple of four outputs, one for each input and one for the bias.
        return 4 * Math.ceil(filters / 4) * 4 * (depth + 1)
    }
  }
  if (kernel.name === 'pool-tiles') {
    const channels = shapes.get(step.output)![1]!
    return channels * (recordBytes[kernel.pool] + kernel.window[0] * kernel.window[1] * offsetBytes)
  }
  return 0
}
