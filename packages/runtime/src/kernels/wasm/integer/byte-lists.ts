/** Writes the records and lists of a convolution on bytes; `plan/integer/prepared-bytes.ts` says how long they are. */
import { advance, get, i32, repeatWhile } from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { offsetOf } from '../../../plan/integer/byte-layout.ts'
import type { ByteConvolution } from '../../../plan/integer/byte-step.ts'
import type { KernelFunction } from '../library.ts'
import type { Lists } from '../prepare.ts'
import { byteRecordBytes } from './convolution.ts'

export interface ByteLists extends Lists {
  /** Where the entries of each group of filters end. */
  readonly groupEnds: readonly number[]
}

/**
 * Writes everything, but as entries the places of the weights in their filter; `placeEntries` makes them offsets. What
 * fills up the bytes that are added in one has the place behind the last.
 */
export function writeByteLists(
  buffer: ArrayBuffer,
  address: number,
  { linear, filters, inPart }: ByteConvolution,
  { group, wide }: { readonly group: number; readonly wide: boolean },
): ByteLists {
  const { depth } = linear
  const { ends, positions } = linear.lists!
  const filtersInGroup = filters.length / linear.convolution!.groups

  const bytes = new Uint8Array(buffer)
  const shorts = new Int16Array(buffer)
  const words = new Uint32Array(buffer)
  const entries = wide ? words : new Uint16Array(buffer)
  const recordsEnd = address + filters.reduce((sum, { parts }) => sum + parts, 0) * byteRecordBytes
  const groupEnds: number[] = []
  let entry = recordsEnd / entries.BYTES_PER_ELEMENT
  let record = address
  for (let o = 0; o < filters.length; o++) {
    const filter = filters[o]!
    for (let part = 0; part < filter.parts; part++, record += byteRecordBytes) {
      for (let field = 0; field < 2; field++) {
        const list = 2 * o + (filter.plusFirst ? field : 1 - field)
        const from = (list === 0 ? 0 : ends[list - 1]!) + part * inPart
        const count = Math.max(0, Math.min(ends[list]! - from, inPart))
        entries.set(positions.subarray(from, from + count), entry)
        entry += count
        for (let filled = count; filled % group !== 0; filled++) entries[entry++] = depth
        words[record / 4 + field] = entry * entries.BYTES_PER_ELEMENT
      }
      shorts[record / 2 + 4] = filter.ratio
      shorts[record / 2 + 5] = filter.multiplier
      shorts[record / 2 + 6] = filter.offset
      shorts[record / 2 + 7] = filter.residualMultiplier
      bytes[record + 16] = filter.shift
      bytes[record + 17] = part + 1 < filter.parts ? 1 : 0
      bytes[record + 18] = filter.doublings
    }
    if ((o + 1) % filtersInGroup === 0) groupEnds.push(entry * entries.BYTES_PER_ELEMENT)
  }
  return { records: address, recordsEnd, entries: recordsEnd, groupEnds }
}

/** Call with (first entry, end of entries, table): every entry becomes what the table has at it, a 32-bit number. */
export function emitPlaceEntries(name: string, { wide }: { readonly wide: boolean }): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], parameters => {
    const [entry, end, table] = parameters as Locals<3>
    const place = wide ? i32.load(get(entry)) : i32.load16(get(entry))
    const offset = i32.load(i32.add(get(table), i32.mul(place, i32.const(4))))
    return repeatWhile(i32.lessThan(get(entry), get(end)), [
      wide ? i32.store(get(entry), offset) : i32.store16(get(entry), offset),
      advance(entry, i32.const(wide ? 4 : 2)),
    ])
  })
}

/** Makes offsets of the entries that `writeByteLists` wrote, with a table at `table`. */
export function placeEntries(
  place: KernelFunction,
  buffer: ArrayBuffer,
  table: number,
  { entries, groupEnds }: ByteLists,
  operation: Pick<ByteConvolution, 'linear' | 'window' | 'source'>,
): void {
  const { linear, window, source } = operation
  const { layout } = source
  const channels = linear.depth / (window.kernel[0] * window.kernel[1])
  const offsets = new Uint32Array(buffer, table, linear.depth + 1)
  // A plane of bytes 0 lies behind the channels.
  offsets[linear.depth] = layout.channels * layout.channelBytes
  let start = entries
  for (let group = 0; group < groupEnds.length; group++) {
    fillTapOffsets(offsets, operation, group * channels * layout.channelBytes)
    place(start, groupEnds[group]!, table)
    start = groupEnds[group]!
  }
}

/** Where the input under each weight of a filter lies, whose first channel begins `first` bytes behind the source's beginning. */
export function fillTapOffsets(
  offsets: Uint32Array,
  { linear: { depth }, window, source: { layout } }: Pick<ByteConvolution, 'linear' | 'window' | 'source'>,
  first: number,
): void {
  const [height, width] = window.kernel
  const area = height * width
  for (let k = 0; k < area; k++) {
    offsets[k] = first + offsetOf(layout, window, 0, Math.floor(k / width), k % width)
  }
  for (let k = area; k < depth; k++) offsets[k] = offsets[k - area]! + layout.channelBytes
}
