/** Writes the records and lists of a convolution on bytes; `plan/prepared-bytes.ts` says how long they are. */
import type { TernaryTensor } from '../../../file/types.ts'
import { offsetOf } from '../../../plan/integer/byte-layout.ts'
import type { ByteConvolution } from '../../../plan/integer/byte-step.ts'
import type { Lists } from '../prepare.ts'
import { byteRecordBytes } from './convolution.ts'

export function writeByteLists(
  buffer: ArrayBuffer,
  address: number,
  { linear, window, source, filters }: ByteConvolution,
  { group, wide }: { readonly group: number; readonly wide: boolean },
): Lists {
  const { assignment } = linear.weight as TernaryTensor
  const { layout } = source
  const offsets = tapOffsets(linear.depth, window.kernel, (c, ky, kx) => offsetOf(layout, window, c, ky, kx))
  const channels = linear.depth / (window.kernel[0] * window.kernel[1])
  const filtersInGroup = filters.length / linear.convolution!.groups
  /** A plane of bytes 0 lies behind the channels: what fills up a group adds nothing. */
  const nothing = layout.channels * layout.channelBytes

  const view = new DataView(buffer)
  const recordsEnd = address + filters.length * byteRecordBytes
  let entry = recordsEnd
  const push = (offset: number): void => {
    if (wide) view.setUint32(entry, offset, true)
    else view.setUint16(entry, offset, true)
    entry += wide ? 4 : 2
  }
  for (const [o, filter] of filters.entries()) {
    const first = Math.floor(o / filtersInGroup) * channels * layout.channelBytes
    const record = address + o * byteRecordBytes
    for (const [list, sign] of (filter.plusFirst ? [1, -1] : [-1, 1]).entries()) {
      let count = 0
      for (let k = 0; k < linear.depth; k++) {
        if (assignment[o * linear.depth + k] !== sign) continue
        push(first + offsets[k]!)
        count++
      }
      for (; count % group !== 0; count++) push(nothing)
      view.setUint32(record + 4 * list, entry, true)
    }
    const { ratio, multiplier, offset, residualMultiplier, shift } = filter
    for (const [i, value] of [ratio, multiplier, offset, residualMultiplier, shift].entries()) {
      view.setInt16(record + 8 + 2 * i, value, true)
    }
  }
  return { records: address, recordsEnd, entries: recordsEnd }
}

/** Of each weight of a filter, in order. */
function tapOffsets(
  depth: number,
  [height, width]: readonly [number, number],
  offset: (channel: number, ky: number, kx: number) => number,
): Uint32Array {
  return Uint32Array.from({ length: depth }, (_, k) => {
    const kx = k % width
    const ky = Math.floor(k / width) % height
    return offset(Math.floor(k / (width * height)), ky, kx)
  })
}
