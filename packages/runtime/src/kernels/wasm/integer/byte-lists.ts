/** Writes the records and lists of a convolution on bytes; `plan/prepared-bytes.ts` says how long they are. */
import { offsetOf } from '../../../plan/integer/byte-layout.ts'
import type { ByteConvolution } from '../../../plan/integer/byte-step.ts'
import { maxCount } from '../../../plan/integer/requantize.ts'
import { type Lists, visitSign } from '../prepare.ts'
import { byteRecordBytes } from './convolution.ts'

export function writeByteLists(
  buffer: ArrayBuffer,
  address: number,
  operation: ByteConvolution,
  { group, wide }: { readonly group: number; readonly wide: boolean },
): Lists {
  const { linear, window, source, filters } = operation
  const { layout } = source
  const offsets = tapOffsets(operation)
  const channels = linear.depth / (window.kernel[0] * window.kernel[1])
  const filtersInGroup = filters.length / linear.convolution!.groups
  /** A plane of bytes 0 lies behind the channels: what fills up a group adds nothing. */
  const nothing = layout.channels * layout.channelBytes

  const inPart = maxCount(source.range)

  const view = new DataView(buffer)
  const recordsEnd = address + filters.reduce((sum, { parts }) => sum + parts, 0) * byteRecordBytes
  let entry = recordsEnd
  const push = (offset: number): void => {
    if (wide) view.setUint32(entry, offset, true)
    else view.setUint16(entry, offset, true)
    entry += wide ? 4 : 2
  }
  let record = address
  for (const [o, filter] of filters.entries()) {
    const first = Math.floor(o / filtersInGroup) * channels * layout.channelBytes
    const lists = (filter.plusFirst ? [1, -1] : [-1, 1]).map(sign => {
      const list: number[] = []
      visitSign(linear, o, sign, k => list.push(offsets[k]!))
      return list
    })
    for (let part = 0; part < filter.parts; part++, record += byteRecordBytes) {
      for (const [field, list] of lists.entries()) {
        const taken = list.slice(part * inPart, (part + 1) * inPart)
        for (const offset of taken) push(first + offset)
        for (let count = taken.length; count % group !== 0; count++) push(nothing)
        view.setUint32(record + 4 * field, entry, true)
      }
      const { ratio, multiplier, offset, residualMultiplier, shift } = filter
      for (const [i, value] of [ratio, multiplier, offset, residualMultiplier].entries()) {
        view.setInt16(record + 8 + 2 * i, value, true)
      }
      view.setUint8(record + 16, shift)
      view.setUint8(record + 17, part + 1 < filter.parts ? 1 : 0)
    }
  }
  return { records: address, recordsEnd, entries: recordsEnd }
}

/** Where the input under each weight of the first filter lies, in bytes from the source's beginning. */
export function tapOffsets({
  linear: { depth },
  window,
  source,
}: Pick<ByteConvolution, 'linear' | 'window' | 'source'>): Uint32Array {
  const [height, width] = window.kernel
  return Uint32Array.from({ length: depth }, (_, k) => {
    const kx = k % width
    const ky = Math.floor(k / width) % height
    return offsetOf(source.layout, window, Math.floor(k / (width * height)), ky, kx)
  })
}
