import type { PackedModel, TernaryTensor } from '../file/types.ts'
import { countNonZeros, type Kernel } from './choose.ts'
import { denseRunBytes } from './dense-runs.ts'
import { byteRowsSizes } from './integer/byte-rows.ts'
import type { ByteConvolution } from './integer/byte-step.ts'
import { maxCount } from './integer/requantize.ts'
import { type Shape, sizeOf } from './shape.ts'
import type { LinearStep, Step } from './steps.ts'

/** Sizes in bytes of what the list kernels read; `kernels/wasm` writes exactly this. */
export const recordBytes = { equal: 16, two: 20, max: 4, mean: 16 } as const
const offsetBytes = 4

/** Records of `kernels/wasm/integer/convolution.ts`: two ends of lists, then six numbers of 16 bits. */
const byteRecordBytes = 20

function byteListBytes(
  { linear, filters, source }: ByteConvolution,
  { group, wide }: Extract<Kernel, { readonly name: 'byte-lists' }>,
): number {
  const { ends } = linear.lists!
  const inPart = maxCount(source.range)
  /** Entries of whole parts, each filled up to whole groups. */
  const wholePart = Math.ceil(inPart / group) * group
  let entries = 0
  for (let list = 0, start = 0; list < ends.length; list++) {
    const count = ends[list]! - start
    const rest = count % inPart
    entries += ((count - rest) / inPart) * wholePart + Math.ceil(rest / group) * group
    start += count
  }
  const parts = filters.reduce((sum, { parts }) => sum + parts, 0)
  return parts * byteRecordBytes + entries * (wide ? 4 : 2)
}

/** Of a convolution with 8-bit weights: pairs of offsets, filters, and room for a tile's inputs in pairs. */
export function denseByteSizes({ depth, filters }: LinearStep) {
  const pairs = Math.ceil(depth / 2)
  const [offsets, weights, scratch] = [8 * pairs, filters * (12 + 4 * pairs), 64 * pairs]
  return { pairs, offsets, weights, bytes: offsets + weights + scratch }
}

/** Outputs of one block of a dense matrix: six vectors of four; more than these spill on x86-64 with V8. */
export const denseBlock = 24

/** How many bytes the weights of a step take in the form its kernel reads. */
export function preparedBytes(
  step: Step,
  kernel: Kernel,
  model: PackedModel,
  shapes: ReadonlyMap<string, Shape>,
): number {
  if (step.kind === 'bytes') {
    if (kernel.name === 'byte-lists') return byteListBytes(step.operation as ByteConvolution, kernel)
    if (step.operation.op === 'dense') return denseByteSizes(step.operation.linear).bytes
    if (kernel.name === 'byte-lookup' || kernel.name === 'byte-gather') {
      return byteRowsSizes(kernel.name, kernel.shape).bytes
    }
    return 0
  }
  if (step.kind === 'linear') {
    const { weight, filters, depth } = step
    switch (kernel.name) {
      case 'add-lists':
      case 'gather-lists':
        return filters * recordBytes[kernel.magnitudes] + countNonZeros(weight as TernaryTensor) * offsetBytes
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
  const stored = step.node.inputs.filter(name => model.tensors.has(name))
  return stored.reduce((bytes, name) => bytes + 4 * sizeOf(shapes.get(name)!), 0)
}
