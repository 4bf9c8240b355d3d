/** The statistics of ternary weights: which decisions are coded in which context. Shared by decoder and encoder. */

import { AdaptiveBits } from './adaptive-bits.ts'
import type { TensorShape } from './codec.ts'
import type { ContextSet } from './contexts.ts'
import type { BitCoder } from './range-decoder.ts'

/** A tensor as filters × channels × kernel; the kernel is rows × columns. */
export interface Geometry {
  readonly filters: number
  readonly channels: number
  readonly rows: number
  readonly columns: number
}

/** How one tensor is modelled; stands in front of its coded string. */
export interface TernaryModel {
  /** Of 256: how many weights are not zero, 1 to 255; where contexts start and what densities compare with. */
  readonly density: number
  /** Of 256: how many of those are negative, 1 to 255. */
  readonly negative: number
  /** How many decisions a context remembers. */
  readonly memory: number
  /** What the one context of a decision looks at; not read where `mixed`. */
  readonly set: ContextSet
  /** Four contexts and their mix for each decision instead of one. */
  readonly mixed: boolean
  readonly deadFilters: boolean
  readonly deadChannels: boolean
}

/** In which order the weights of a tensor are coded; as they lie where both are false. */
export interface ScanOrder {
  /** Channels outside, filters inside them. */
  readonly channelsFirst: boolean
  /** Columns of a kernel outside, rows inside them. */
  readonly columnsFirst: boolean
}

/** The geometry in which `order` codes a tensor of `geometry`. */
export function scannedGeometry(
  { filters, channels, rows, columns }: Geometry,
  { channelsFirst, columnsFirst }: ScanOrder,
): Geometry {
  return {
    filters: channelsFirst ? channels : filters,
    channels: channelsFirst ? filters : channels,
    rows: columnsFirst ? columns : rows,
    columns: columnsFirst ? rows : columns,
  }
}

/** How many weights lie between neighbours in the order in which they are coded. */
export interface ScanSteps {
  readonly filter: number
  readonly channel: number
  readonly row: number
  readonly column: number
}

export function scanSteps(geometry: Geometry, order: ScanOrder): ScanSteps {
  const { channels, rows, columns } = geometry
  const inner = rows * columns
  const outer = channels * inner
  return {
    filter: order.channelsFirst ? inner : outer,
    channel: order.channelsFirst ? outer : inner,
    row: order.columnsFirst ? 1 : columns,
    column: order.columnsFirst ? columns : 1,
  }
}

/** Calls `visit` with the place of each weight in the tensor, in the order in which they are coded. */
export function scan(geometry: Geometry, order: ScanOrder, visit: (place: number) => void): void {
  const { filters, channels, rows, columns } = scannedGeometry(geometry, order)
  const steps = scanSteps(geometry, order)
  for (let filter = 0; filter < filters; filter++) {
    for (let channel = 0; channel < channels; channel++) {
      const start = filter * steps.filter + channel * steps.channel
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++)
          visit(start + row * steps.row + column * steps.column)
      }
    }
  }
}

/** Two probabilities that stay as they are, in 1/65536: that a weight is not zero, and that it is negative then. */
export interface FixedModel {
  readonly set: 'fixed'
  readonly density: number
  readonly negative: number
}

/** What is decoded: levels in `order`, as a term above `below` where that is given. */
export interface CodedAssignment {
  readonly geometry: Geometry
  readonly order: ScanOrder
  readonly model: TernaryModel | FixedModel
  /** The levels of the term before, as they lie in the tensor. */
  readonly below?: Int8Array | undefined
}

export function geometryOf({ dims, elements, filters }: TensorShape): Geometry {
  const channels = dims[1] ?? 1
  const columns = dims.length > 2 ? dims[dims.length - 1]! : 1
  return { filters, channels, rows: elements / (filters * channels * columns), columns }
}

/** 16 × log2, linear between powers of two, of a whole number from 1 to 2³¹ − 1. */
export function log16(value: number): number {
  const power = 31 - Math.clz32(value)
  return 16 * power + (power >= 4 ? (value >>> (power - 4)) & 15 : (value << (4 - power)) & 15)
}

/** The weight, in elements, of the tensor's own density in that of a channel or filter. */
export const prior = 16
/** Counts of non-zeros stop growing here, far beyond any layer, so that 16 × count stays below 2³¹. */
export const largestSeen = 0x3ff_ffff

/** One decision each where `signalled`: 1 for a filter or channel that has weights other than zero. */
export function codeLive(
  coder: BitCoder,
  signalled: boolean,
  count: number,
  isLiveAt: (index: number) => boolean,
): Uint8Array {
  const live = new Uint8Array(count).fill(1)
  if (!signalled) return live
  const bits = new AdaptiveBits(1, 125)
  for (let index = 0; index < count; index++) live[index] = bits.code(coder, 0, isLiveAt(index) ? 1 : 0)
  return live
}
