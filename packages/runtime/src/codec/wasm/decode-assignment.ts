/** Decodes ternary weights: in WebAssembly where the host allows it and the model has one context a decision. */
import { ListSink } from '../../ternary-lists.ts'
import { rates } from '../adaptive-bits.ts'
import { startsAfter } from '../levels.ts'
import type { RangeDecoder } from '../range-decoder.ts'
import { fillTarget, type TernaryTarget } from '../ternary.ts'
import {
  codeAssignment,
  codeLive,
  type Geometry,
  largestSeen,
  log16,
  prior,
  type TernaryModel,
} from '../ternary-model.ts'
import { channelBytes, contextCounts, emitLevels, type LevelsSpec, ratesAt, stateAt } from './emit-levels.ts'
import { signLists } from './sign-lists.ts'
import { openWorkspace } from './workspace.ts'

/** Two probabilities that stay as they are, in 1/65536: that a weight is not zero, and that it is negative then. */
export interface FixedModel {
  readonly set: 'fixed'
  readonly density: number
  readonly negative: number
}

/** As `codeAssignment` with a decoder. */
export function decodeAssignment(
  coder: RangeDecoder,
  target: TernaryTarget,
  geometry: Geometry,
  model: TernaryModel | FixedModel,
  below?: Int8Array,
): void {
  if (model.set === 'fixed') {
    const { density, negative } = model
    const columns = geometry.channels * geometry.rows * geometry.columns
    const flat = { filters: geometry.filters, channels: 1, rows: 1, columns }
    if (decodeInWasm(coder, target, flat, model, undefined)) return
    fillTarget(target, flat.filters * columns, () =>
      coder.code(density, 0) === 0 ? 0 : 1 - 2 * coder.code(negative, 0),
    )
  } else if (model.mixed || !decodeInWasm(coder, target, geometry, model, below)) {
    codeAssignment(coder, target, geometry, model, below)
  }
}

/** @returns false where the host refuses; nothing has been read then */
function decodeInWasm(
  coder: RangeDecoder,
  target: TernaryTarget,
  { filters, channels, rows, columns }: Geometry,
  model: TernaryModel | FixedModel,
  below: Int8Array | undefined,
): boolean {
  const isFixed = model.set === 'fixed'
  const kernel = rows * columns
  const perFilter = channels * kernel
  const spec: LevelsSpec = {
    set: model.set,
    memory: isFixed ? 0 : model.memory,
    below: below !== undefined,
    isMatrix: kernel === 1,
  }
  const { zeros, all } = contextCounts(spec)
  const contextsAt = ratesAt + rates.byteLength
  const channelsAt = contextsAt + 8 * all
  const channelsEnd = channelsAt + channelBytes * channels
  const levelsAt = channelsEnd + perFilter
  const belowAt = levelsAt + perFilter
  const listsAt = Math.ceil((belowAt + perFilter) / 4) * 4
  const workspace = openWorkspace()
  const decode = workspace?.prepare(emitLevels, spec)
  const lists = workspace && signLists(workspace, perFilter, listsAt)
  const buffer = lists && workspace.reserve(lists.end + coder.rest.length)
  if (decode === undefined || buffer === undefined) return false

  const live = (signalled: boolean, count: number) => codeLive(coder, signalled, count, () => false)
  const liveFilters = live(!isFixed && model.deadFilters, filters)
  const liveChannels = live(!isFixed && model.deadChannels, channels)
  const { density, negative } = model
  const densityLog = log16(density)
  const words = new Int32Array(buffer, 0, channelsEnd / 4)
  const bytes = new Int8Array(buffer)
  words.set(rates, ratesAt / 4)
  const contexts = words.subarray(contextsAt / 4)
  const unit = isFixed ? 1 : 1 << 16
  contexts.fill(unit * density, 0, zeros)
  contexts.fill(unit * negative, zeros, all)
  contexts.fill(startsAfter, all, 2 * all)
  for (let channel = 0; channel < channels; channel++) {
    const at = (channelsAt + channelBytes * channel) / 4
    words[at] = 0
    words[at + 1] = densityLog
    words[at + 2] = liveChannels[channel]!
  }
  const { rest, range, place } = coder
  bytes.set(rest, lists!.end)
  const state = [range, place, lists!.end, lists!.end + rest.length]
  words.set(state, stateAt.range / 4)

  const densityBase = densityLog - log16(256 / prior)
  let filtersSeen = 0
  bytes.fill(0, channelsEnd, belowAt)
  for (let filter = 0; filter < filters; filter++) {
    if (spec.isMatrix) bytes.copyWithin(channelsEnd, levelsAt, belowAt)
    bytes.fill(0, levelsAt, belowAt)
    const start = filter * perFilter
    if (liveFilters[filter] !== 0) {
      if (below !== undefined) bytes.set(below.subarray(start, start + perFilter), belowAt)
      const channelBase = log16(Math.min(largestSeen, filtersSeen * kernel) + prior) + densityBase
      const toAbove = spec.isMatrix ? -perFilter : 0
      decode(
        levelsAt,
        toAbove,
        perFilter,
        channelsAt,
        channelsEnd,
        rows,
        columns,
        channelBase,
        density,
        densityBase,
        contextsAt,
      )
      filtersSeen++
    }
    if (target instanceof ListSink) lists!.sort(target, filter, levelsAt)
    else target.set(bytes.subarray(levelsAt, belowAt), start)
  }
  coder.resume(words[stateAt.range / 4]!, words[stateAt.code / 4]!, words[stateAt.next / 4]! - lists!.end)
  return true
}
