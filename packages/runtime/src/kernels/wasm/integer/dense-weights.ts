/** Writes offsets and filters of a convolution with 8-bit weights; `plan/integer/prepared-bytes.ts` says how long they are. */
import type { ByteDense } from '../../../plan/integer/byte-step.ts'
import { denseByteSizes } from '../../../plan/integer/prepared-bytes.ts'
import { fillTapOffsets } from './byte-lists.ts'

/** Where filters lie that are computed so many at a time. */
export interface DenseFilters {
  readonly together: number
  readonly firstFilter: number
  readonly filters: number
  readonly filtersEnd: number
}

export interface DenseWeights {
  readonly offsets: number
  readonly offsetsEnd: number
  readonly runs: readonly DenseFilters[]
  readonly scratch: number
}

/** Two filters at a time; one that is left comes last. */
export function writeDenseWeights(buffer: ArrayBuffer, address: number, operation: ByteDense): DenseWeights {
  const { linear, codes, factors, source } = operation
  const { depth, filters } = linear
  const sizes = denseByteSizes(linear)
  const view = new DataView(buffer)
  let place = address
  const next = (bytes: number): number => {
    place += bytes
    return place - bytes
  }
  const taps = new Uint32Array(depth)
  fillTapOffsets(taps, operation, 0)
  for (let k = 0; k < depth; k += 2) {
    view.setUint32(next(4), taps[k]!, true)
    view.setUint32(next(4), taps[k + 1] ?? taps[k]!, true)
  }
  const offsetsEnd = place
  const runs: DenseFilters[] = []
  for (const together of [2, 1]) {
    const firstFilter = together === 2 ? 0 : filters - (filters % 2)
    const end = together === 2 ? filters - (filters % 2) : filters
    const start = place
    for (let first = firstFilter; first < end; first += together) {
      const block = Array.from({ length: together }, (_, i) =>
        codes.subarray((first + i) * depth, (first + i + 1) * depth),
      )
      for (const [i, weights] of block.entries()) {
        // Every sum counts the input's zero once for each weight.
        view.setInt32(next(4), -source.range.zero * weights.reduce((sum, code) => sum + code, 0), true)
        view.setFloat32(next(4), factors[first + i]!, true)
        view.setFloat32(next(4), linear.bias?.[first + i] ?? 0, true)
      }
      for (let k = 0; k < depth; k += 2) {
        for (const weights of block) {
          view.setInt16(next(2), weights[k]!, true)
          view.setInt16(next(2), weights[k + 1] ?? 0, true)
        }
      }
    }
    if (place > start) runs.push({ together, firstFilter, filters: start, filtersEnd: place })
  }
  return { offsets: address, offsetsEnd, runs, scratch: address + sizes.offsets + sizes.weights }
}
