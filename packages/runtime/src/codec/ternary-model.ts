/** The statistics of ternary weights: which decisions are coded in which context. Shared by decoder and encoder. */

import { ListSink } from '../ternary-lists.ts'
import { AdaptiveBits } from './adaptive-bits.ts'
import type { TensorShape } from './codec.ts'
import { type ContextSet, type LevelCoder, MixedLevels, SetLevels } from './levels.ts'
import type { BitCoder } from './range-decoder.ts'
import type { TernaryTarget } from './ternary.ts'

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

/**
 * Codes an assignment (−1, 0, +1) weight by weight, row-major: is it zero; if not, is it negative. A decoder
 * passes zeros and finds the weights there, or a sink that takes them. `below` is the assignment of the term before,
 * in a sum of several.
 */
export function codeAssignment(
  coder: BitCoder,
  target: TernaryTarget,
  geometry: Geometry,
  model: TernaryModel,
  below?: Int8Array,
): void {
  const { filters, channels, rows, columns } = geometry
  const kernel = rows * columns
  const isMatrix = kernel === 1
  const { density } = model
  // Lists need no more than what is a neighbour yet: a kernel, or three filters of a matrix.
  const sink = target instanceof ListSink ? target : undefined
  const weights = target instanceof ListSink ? new Int8Array(isMatrix ? 3 * channels : kernel) : target
  const coded = { weights, width: isMatrix ? channels : columns, below }
  const levels: LevelCoder = model.mixed ? new MixedLevels(coded, model) : new SetLevels(coded, model)
  const liveFilters = codeLive(coder, model.deadFilters, filters, filter => {
    const start = filter * channels * kernel
    return isLive(weights, start, start + channels * kernel)
  })
  const liveChannels = codeLive(coder, model.deadChannels, channels, channel => {
    for (let start = channel * kernel; start < weights.length; start += channels * kernel) {
      if (isLive(weights, start, start + kernel)) return true
    }
    return false
  })

  const channelCount = new Int32Array(channels)
  const channelLog = new Int32Array(channels).fill(log16(density))
  const densityLog = log16(density) - log16(256 / prior)
  let filtersSeen = 0
  for (let filter = 0; filter < filters; filter++) {
    if (sink !== undefined && isMatrix) {
      weights.copyWithin(0, channels)
      weights.fill(0, 2 * channels)
    }
    if (liveFilters[filter] === 0) continue
    const channelBase = log16(Math.min(largestSeen, filtersSeen * kernel) + prior) + densityLog
    let filterCount = 0
    let filterLog = log16(density)
    let filterSeen = 0
    for (let channel = 0; channel < channels; channel++) {
      if (liveChannels[channel] === 0) continue
      levels.startKernel(
        channelLog[channel]! - channelBase,
        filterLog - log16(filterSeen + prior) - densityLog,
      )
      const start = (filter * channels + channel) * kernel
      let index = sink === undefined ? start : isMatrix ? 2 * channels + channel : 0
      let found = 0
      if (isMatrix) {
        const level = levels.code(coder, weights[index]!, index, filter, channel)
        weights[index] = level
        found = level & 1
      } else {
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            const level = levels.code(coder, weights[index]!, index, row, column)
            weights[index++] = level
            found += level & 1
          }
        }
      }
      filterSeen = Math.min(largestSeen, filterSeen + kernel)
      if (found > 0) {
        if (sink !== undefined && !isMatrix) sink.take(start, weights, 0, kernel)
        filterCount = Math.min(largestSeen, filterCount + found)
        filterLog = log16(16 * filterCount + density)
        channelCount[channel] = Math.min(largestSeen, channelCount[channel]! + found)
        channelLog[channel] = log16(16 * channelCount[channel]! + density)
      }
    }
    if (sink !== undefined && isMatrix && filterCount > 0)
      sink.take(filter * channels, weights, 2 * channels, channels)
    filtersSeen++
  }
}

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

function isLive(weights: Int8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (weights[index] !== 0) return true
  return false
}
