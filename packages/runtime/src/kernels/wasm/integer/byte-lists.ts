/** Writes the records and lists of a convolution on bytes; `plan/integer/prepared-bytes.ts` says how long they are. */
import { offsetOf } from '../../../plan/integer/byte-layout.ts'
import type { ByteConvolution } from '../../../plan/integer/byte-step.ts'
import { maxCount } from '../../../plan/integer/requantize.ts'
import type { Lists } from '../prepare.ts'
import { byteRecordBytes } from './convolution.ts'

export function writeByteLists(
  buffer: ArrayBuffer,
  address: number,
  operation: ByteConvolution,
  { group, wide }: { readonly group: number; readonly wide: boolean },
): Lists {
  const { linear, window, source, filters } = operation
  const { layout } = source
  const { ends, positions } = linear.lists!
  const offsets = tapOffsets(operation)
  const channels = linear.depth / (window.kernel[0] * window.kernel[1])
  const filtersInGroup = filters.length / linear.convolution!.groups
  /** A plane of bytes 0 lies behind the channels: what fills up a group adds nothing. */
  const nothing = layout.channels * layout.channelBytes
  const inPart = maxCount(source.range)

  const bytes = new Uint8Array(buffer)
  const shorts = new Int16Array(buffer)
  const words = new Uint32Array(buffer)
  const entries = wide ? words : new Uint16Array(buffer)
  const recordsEnd = address + filters.reduce((sum, { parts }) => sum + parts, 0) * byteRecordBytes
  let entry = recordsEnd / entries.BYTES_PER_ELEMENT
  let record = address
  for (let o = 0; o < filters.length; o++) {
    const filter = filters[o]!
    const first = Math.floor(o / filtersInGroup) * channels * layout.channelBytes
    for (let part = 0; part < filter.parts; part++, record += byteRecordBytes) {
      for (let field = 0; field < 2; field++) {
        const list = 2 * o + (filter.plusFirst ? field : 1 - field)
        const from = (list === 0 ? 0 : ends[list - 1]!) + part * inPart
        const end = Math.min(ends[list]!, from + inPart)
        for (let i = from; i < end; i++) entries[entry++] = first + offsets[positions[i]!]!
        for (let count = end - from; count > 0 && count % group !== 0; count++) entries[entry++] = nothing
        words[record / 4 + field] = entry * entries.BYTES_PER_ELEMENT
      }
      shorts[record / 2 + 4] = filter.ratio
      shorts[record / 2 + 5] = filter.multiplier
      shorts[record / 2 + 6] = filter.offset
      shorts[record / 2 + 7] = filter.residualMultiplier
      bytes[record + 16] = filter.shift
      bytes[record + 17] = part + 1 < filter.parts ? 1 : 0
    }
  }
  return { records: address, recordsEnd, entries: recordsEnd }
}

/** Where the input under each weight of the first filter lies, in bytes from the source's beginning. */
export function tapOffsets({
  linear: { depth },
  window,
  source: { layout },
}: Pick<ByteConvolution, 'linear' | 'window' | 'source'>): Uint32Array {
  const [height, width] = window.kernel
  const area = height * width
  const offsets = new Uint32Array(depth)
  for (let k = 0; k < area; k++) offsets[k] = offsetOf(layout, window, 0, Math.floor(k / width), k % width)
  for (let k = area; k < depth; k++) offsets[k] = offsets[k - area]! + layout.channelBytes
  return offsets
}
