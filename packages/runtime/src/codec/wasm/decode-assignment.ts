/** Decodes ternary weights in WebAssembly. */
import { rates } from '../adaptive-bits.ts'
import { setSizes, startsAfter, tableSize, tables } from '../contexts.ts'
import type { RangeDecoder } from '../range-decoder.ts'
import type { TernaryTarget } from '../ternary.ts'
import {
  type CodedAssignment,
  codeLive,
  type Geometry,
  largestSeen,
  log16,
  prior,
  scannedGeometry,
  scanSteps,
} from '../ternary-model.ts'
import { planDelivery } from './delivery.ts'
import { channelBytes, modelKinds, tablesAt } from './layout.ts'
import { mixTables } from './mix-tables.ts'
import { lendCoder, openWorkspace, returnCoder, setWords } from './workspace.ts'

/** @returns false where the host refuses; nothing has been read then */
export function decodeAssignmentInWasm(
  coder: RangeDecoder,
  target: TernaryTarget,
  { geometry: whole, order, model, below }: CodedAssignment,
): boolean {
  const isFixed = model.set === 'fixed'
  const geometry = isFixed ? flatGeometry(whole) : whole
  const { filters, channels, rows, columns } = scannedGeometry(geometry, order)
  const steps = scanSteps(geometry, order)
  const perFilter = (filters * channels * rows * columns) / geometry.filters
  const isMixed = !isFixed && model.mixed
  const { zeros, signs } = setSizes(isFixed ? 'fixed' : model.set)
  const [zeroContexts, contexts] = isMixed
    ? [2 * tables * tableSize, 5 * tables * tableSize]
    : [2 * zeros, 2 * zeros + 3 * signs]
  // Filter by filter, or all at once where the order goes through all of them; of a matrix two filters before are kept.
  const levelBytes = order.channelsFirst ? perFilter * geometry.filters : perFilter
  const contextsAt = tablesAt + rates.byteLength
  const channelsAt = contextsAt + 8 * contexts
  const channelsEnd = channelsAt + channelBytes * channels
  const mixes = isMixed ? mixTables(channelsEnd) : undefined
  const aboveAt = mixes?.end ?? channelsEnd
  const isMatrix = rows * columns === 1
  const levelsAt = aboveAt + (isMatrix ? 2 * perFilter : 0)
  const belowAt = levelsAt + levelBytes
  const levelsEnd = below === undefined ? belowAt : belowAt + levelBytes
  const delivery = planDelivery(target, levelsEnd, coder.rest.length, geometry.filters, perFilter)
  const workspace = openWorkspace(delivery.end)
  if (workspace === undefined) return false

  const live = (signalled: boolean, count: number) => codeLive(coder, signalled, count, () => false)
  const liveFilters = live(!isFixed && model.deadFilters, filters)
  const liveChannels = live(!isFixed && model.deadChannels, channels)
  const { density, negative } = model
  const densityLog = log16(density)
  const densityBase = densityLog - log16(256 / prior)
  const { buffer } = workspace.memory
  const bytes = new Int8Array(buffer)
  const memory = new Int32Array(buffer, 0, channelsEnd / 4)
  setWords(memory, {
    channels: channelsAt,
    channelsEnd,
    rows,
    columns,
    toColumn: steps.column,
    toRow: steps.row,
    toChannel: steps.channel,
    toBelow: below === undefined ? 0 : levelBytes,
    toLeft: isMatrix ? steps.channel : steps.column,
    toAbove: isMatrix ? steps.filter : steps.row,
    width: isMatrix ? channels : columns,
    kind: modelKinds.indexOf(model.set),
    density,
    densityBase,
    contexts: contextsAt,
    zeros,
    signs,
    toSeen: 4 * contexts,
    memory: isFixed ? 0 : model.memory,
  })
  memory.set(rates, tablesAt / 4)
  const learned = memory.subarray(contextsAt / 4)
  const unit = isFixed ? 1 : 1 << 16
  learned.fill(unit * density, 0, zeroContexts)
  learned.fill(unit * negative, zeroContexts, contexts)
  learned.fill(startsAfter, contexts, 2 * contexts)
  for (let channel = 0; channel < channels; channel++) {
    const at = 2 * contexts + (channelBytes / 4) * channel
    learned[at] = 0
    learned[at + 1] = densityLog
    learned[at + 2] = liveChannels[channel]!
  }
  mixes?.write(buffer)
  lendCoder(workspace.memory, coder, delivery.string)
  delivery.open(workspace)

  const decode = isMixed ? workspace.mixed().decodeMixedFilter : workspace.decodeFilter
  let filtersSeen = 0
  bytes.fill(0, aboveAt, belowAt)
  if (order.channelsFirst && below !== undefined) bytes.set(below, belowAt)
  for (let filter = 0; filter < filters; filter++) {
    let from = levelsAt
    if (order.channelsFirst) {
      from += filter * steps.filter
    } else {
      if (isMatrix) bytes.copyWithin(aboveAt, aboveAt + perFilter, belowAt)
      bytes.fill(0, levelsAt, belowAt)
      const start = filter * perFilter
      if (below !== undefined) bytes.set(below.subarray(start, start + perFilter), belowAt)
    }
    if (liveFilters[filter] !== 0) {
      const counted = Math.min(largestSeen, filtersSeen * rows * columns)
      decode(from, isMatrix ? filter : 0, log16(counted + prior) + densityBase)
      filtersSeen++
    }
    if (!order.channelsFirst) delivery.deliver(workspace, filter, from)
  }
  if (order.channelsFirst) {
    for (let filter = 0; filter < geometry.filters; filter++)
      delivery.deliver(workspace, filter, levelsAt + filter * perFilter)
  }
  delivery.close(workspace)
  returnCoder(workspace.memory, coder, delivery.string)
  return true
}

/** One that keeps filters together: what does not learn looks at no neighbours. */
const flatGeometry = ({ filters, channels, rows, columns }: Geometry): Geometry => ({
  filters,
  channels: 1,
  rows: 1,
  columns: channels * rows * columns,
})
