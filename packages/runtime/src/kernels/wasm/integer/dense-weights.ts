/** Writes offsets and filters of a convolution with 8-bit weights; `plan/prepared-bytes.ts` says how long they are. */
import type { ByteDense } from '../../../plan/integer/byte-step.ts'
import { denseByteSizes } from '../../../plan/prepared-bytes.ts'
import { tapOffsets } from './byte-lists.ts'

export interface DenseAddresses {
  readonly offsets: number
  readonly filters: number
  readonly filtersEnd: number
  readonly scratch: number
}

export function writeDenseWeights(
  buffer: ArrayBuffer,
  address: number,
  operation: ByteDense,
): DenseAddresses {
  const { linear, codes, factors, source } = operation
  const { depth } = linear
  const sizes = denseByteSizes(linear)
  const view = new DataView(buffer)
  let place = address
  const next = (bytes: number): number => {
    place += bytes
    return place - bytes
  }
  const taps = tapOffsets(operation)
  for (let k = 0; k < depth; k += 2) {
    view.setUint32(next(4), taps[k]!, true)
    view.setUint32(next(4), taps[k + 1] ?? taps[k]!, true)
  }
  for (const [o, factor] of factors.entries()) {
    const weights = codes.subarray(o * depth, (o + 1) * depth)
    // Every sum counts the input's zero once for each weight.
    view.setInt32(next(4), -source.range.zero * weights.reduce((sum, code) => sum + code, 0), true)
    view.setFloat32(next(4), factor, true)
    view.setFloat32(next(4), linear.bias?.[o] ?? 0, true)
    for (let k = 0; k < depth; k += 2) {
      view.setInt16(next(2), weights[k]!, true)
      view.setInt16(next(2), weights[k + 1] ?? 0, true)
    }
  }
  const filters = address + sizes.offsets
  const filtersEnd = filters + sizes.weights
  return { offsets: address, filters, filtersEnd, scratch: filtersEnd }
}
