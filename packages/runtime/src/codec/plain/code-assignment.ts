/** Codes the weights of a tensor in plain TypeScript: the model that decoder and encoder share. */
import { ListSink } from '../../ternary-lists.ts'
import type { BitCoder } from '../range-decoder.ts'
import type { TernaryTarget } from '../ternary.ts'
import { codeLive, type Geometry, largestSeen, log16, prior, type TernaryModel } from '../ternary-model.ts'
import { type LevelCoder, MixedLevels, SetLevels } from './levels.ts'

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

function isLive(weights: Int8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (weights[index] !== 0) return true
  return false
}
