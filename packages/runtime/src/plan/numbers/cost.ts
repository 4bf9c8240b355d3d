/**
 * What the kernels cost, in nanoseconds on an x86-64 core at about 3.7 GHz with V8, to choose between them. Fitted to
 * 3×3, 1×1, 5×5, depthwise and grouped convolutions on maps of 5×5 to 32×32 and to fully connected layers of 640 to
 * 4 million weights, 0 to 99 % zeros; the test beside this file times the choices again. What both sides of a choice
 * have in common, such as the padded copy, is left out.
 */
import type { DenseRun } from './dense-runs.ts'
import type { Tiling } from './tile.ts'

/** To begin a filter's lists or a block, and to store one tile of its outputs. */
const tileStartNs = 10
const cycleNs = 0.27

/** Calls of a tile kernel for a map. */
const tilesOf = ([height, width]: readonly [number, number], { rows, columns }: Tiling): number =>
  Math.ceil(height / rows) * Math.ceil(width / columns)

const vectorsOf = ({ rows, vectors }: Tiling): number => rows * vectors.length

/** Inputs of a tile that do not stay in the first-level cache. */
const nearBytes = 1 << 15
const farFactor = 1.35

/**
 * Ternary convolution from lists: each entry loads and adds a tile's vectors.
 * @param tileBytes what the windows of a row of tiles read
 */
export function addListsNs(
  map: readonly [number, number],
  tiling: Tiling,
  { filters, entries, tileBytes }: Readonly<Record<'filters' | 'entries' | 'tileBytes', number>>,
): number {
  const entryNs = (0.1 + 0.2 * vectorsOf(tiling)) * (tileBytes > nearBytes ? farFactor : 1)
  return tilesOf(map, tiling) * (filters * tileStartNs + entries * entryNs)
}

/** The planes of sums of neighbours that `pairs.ts` wants. */
export const neighbourSumsNs = (planes: number, sums: number): number => 200 + 10 * planes + 0.085 * sums

/** Dense convolution: a turn is bound by two loads or two multiply-adds a cycle. */
export function denseTilesNs(
  map: readonly [number, number],
  tiling: Tiling,
  runs: readonly DenseRun[],
  depth: number,
): number {
  const vectors = vectorsOf(tiling)
  const ofTile = runs.reduce((sum, { filters, blocks }) => {
    const turnCycles = 1.6 + Math.max((1 + vectors + filters) / 2, (vectors * filters) / 2)
    return sum + blocks * (tileStartNs + depth * turnCycles * cycleNs)
  }, 0)
  return tilesOf(map, tiling) * ofTile
}

/** Beyond the second-level cache what a layer reads of weights comes slower. */
const farBytes = { lists: 1 << 20, rows: 1 << 23 }

/** Fully connected from lists, one number at a time. */
export const gatherListsNs = (filters: number, entries: number): number =>
  5 * filters + (4 * entries > farBytes.lists ? 0.3 : 0.25) * entries

/** Fully connected, dense: bound by loading the weights. */
export function denseRowsNs(filters: number, depth: number): number {
  const weights = filters * depth
  return (4 * weights > farBytes.rows ? 0.09 : 0.065) * weights
}
