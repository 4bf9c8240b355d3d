import type { Kernel } from '../kernel.ts'
import type { LinearStep } from '../steps.ts'
import { byteRowsSizes } from './byte-rows.ts'
import type { ByteConvolution, ByteStep } from './byte-step.ts'

/** Records of `kernels/wasm/integer/convolution.ts`: two ends of lists, then six numbers of 16 bits. */
const byteRecordBytes = 20

function byteListBytes(
  { linear, filters, inPart }: ByteConvolution,
  { group, wide }: Extract<Kernel, { readonly name: 'byte-lists' }>,
): number {
  const { ends } = linear.lists!
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

/** How many bytes the weights of a step take in the form its kernel reads. */
export function preparedBytes({ operation }: ByteStep, kernel: Kernel): number {
  if (kernel.name === 'byte-lists') return byteListBytes(operation as ByteConvolution, kernel)
  if (operation.op === 'dense') return denseByteSizes(operation.linear).bytes
  if (kernel.name === 'byte-lookup' || kernel.name === 'byte-gather') {
    return byteRowsSizes(kernel.name, kernel.shape).bytes
  }
  return 0
}
