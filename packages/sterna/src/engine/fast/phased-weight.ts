/** A convolution's weight as its stride-1 form and the gradients need it: tiles gathered in another order. */
import { int } from '../onnx-emitter.ts'
import type { BlockedEmission } from './blocked-emission.ts'
import { type ConvPlan, isPhased, phasedChannels } from './conv-plan.ts'

/** Sizes in tiles: a tile holds the numbers of one kernel position for b filters and b channels (or one lane). */
interface Tiles {
  /** Numbers in a tile. */
  readonly size: number
  readonly filterBlocks: number
  /** Channel blocks of a filter, or channels where the input lies in lanes. */
  readonly channelBlocks: number
}

function tilesOf({ block }: BlockedEmission, plan: ConvPlan): Tiles {
  const perGroup = plan.channels / plan.groups
  return plan.input === 'lanes'
    ? { size: block, filterBlocks: plan.filters / block, channelBlocks: perGroup }
    : plan.isDepthwise
      ? { size: block, filterBlocks: plan.filters / block, channelBlocks: 1 }
      : { size: block * block, filterBlocks: plan.filters / block, channelBlocks: perGroup / block }
}

/** The tile of a filter block, channel block, row and column of the layer's kernel. */
function tileIndex(
  plan: ConvPlan,
  { channelBlocks }: Tiles,
  o: number,
  c: number,
  i: number,
  j: number,
): number {
  const [height, width] = plan.kernel
  return ((o * channelBlocks + c) * height + i) * width + j
}

/** In tiles of the stride-1 kernel: [O/b, C/b·phases, k', k'']; −1 where it has no weight of the layer. */
function phasedTiles(plan: ConvPlan, tiles: Tiles): number[] {
  const { rows, columns } = plan
  const index: number[] = []
  for (let o = 0; o < tiles.filterBlocks; o++) {
    for (let c = 0; c < tiles.channelBlocks; c++) {
      for (const rowTaps of rows.taps) {
        for (const columnTaps of columns.taps) {
          for (const i of rowTaps) {
            for (const j of columnTaps) index.push(i < 0 || j < 0 ? -1 : tileIndex(plan, tiles, o, c, i, j))
          }
        }
      }
    }
  }
  return index
}

function gatherTiles(
  emission: BlockedEmission,
  tiles: string,
  size: number,
  index: readonly number[],
): string {
  const { e } = emission
  const count = Math.max(...index) + 1
  const rows = e.reshape(tiles, [-1, size])
  if (!index.includes(-1)) return e.emit('Gather', [rows, e.integers(index)], { axis: int(0) })
  // A row of zeros behind the last one that is used.
  const kept = e.emit('Slice', [rows, e.integers([0]), e.integers([count]), e.integers([0])])
  const padded = e.emit('Pad', [kept, e.integers([0, 0, 1, 0]), e.scalar(0)])
  const indices = index.map(at => (at < 0 ? count : at))
  return e.emit('Gather', [padded, e.integers(indices)], { axis: int(0) })
}

/** The weight of the stride-1 convolution, [O, C·phases, k', k''] in blocked order. */
export function phasedWeight(emission: BlockedEmission, weight: string, plan: ConvPlan): string {
  if (!isPhased(plan)) return weight
  const tiles = tilesOf(emission, plan)
  const gathered = gatherTiles(emission, weight, tiles.size, phasedTiles(plan, tiles))
  return emission.e.reshape(gathered, [
    plan.filters,
    phasedChannels(plan),
    plan.rows.kernel,
    plan.columns.kernel,
  ])
}

/**
 * The weight of the convolution that gives dx: filters and channels exchanged, the kernel turned by 180°. Its filters
 * are the channels of the stride-1 convolution.
 */
export function flippedWeight(emission: BlockedEmission, weight: string, plan: ConvPlan): string {
  const { e, block } = emission
  const { groups, rows, columns, filters } = plan
  const tiles = tilesOf(emission, plan)
  const phased = phasedTiles(plan, tiles)
  const taps = rows.kernel * columns.kernel
  if (plan.isDepthwise) {
    const flipped = phased.map((_, at) => phased[at - (at % taps) + taps - 1 - (at % taps)]!)
    return e.reshape(gatherTiles(emission, weight, tiles.size, flipped), [
      filters,
      1,
      rows.kernel,
      columns.kernel,
    ])
  }
  const channelBlocks = tiles.channelBlocks * rows.phases.length * columns.phases.length
  const filtersPerGroup = tiles.filterBlocks / groups
  const index: number[] = []
  for (let group = 0; group < groups; group++) {
    for (let c = 0; c < channelBlocks; c++) {
      for (let o = 0; o < filtersPerGroup; o++) {
        const first = ((group * filtersPerGroup + o) * channelBlocks + c) * taps
        for (let tap = taps - 1; tap >= 0; tap--) index.push(phased[first + tap]!)
      }
    }
  }
  const turned = emission.transposeTiles(weight, tiles.filterBlocks * tiles.channelBlocks * kernelSize(plan))
  return e.reshape(gatherTiles(emission, turned, block * block, index), [
    channelBlocks * groups * block,
    filters / groups,
    rows.kernel,
    columns.kernel,
  ])
}

/** The gradient of the layer's weight from that of the stride-1 convolution, tiles in the same two orders. */
export function unphasedGradient(emission: BlockedEmission, gradient: string, plan: ConvPlan): string {
  if (!isPhased(plan)) return gradient
  const tiles = tilesOf(emission, plan)
  const phased = phasedTiles(plan, tiles)
  const index: number[] = Array.from({ length: tiles.filterBlocks * tiles.channelBlocks * kernelSize(plan) })
  phased.forEach((tile, at) => {
    if (tile >= 0) index[tile] = at
  })
  return gatherTiles(emission, gradient, tiles.size, index)
}

function kernelSize({ kernel }: ConvPlan): number {
  return kernel[0] * kernel[1]
}
