/** How the filters of a dense convolution are computed together, so that each input is loaded once for several. */

/** Equal blocks of neighbouring filters. */
export interface DenseRun {
  readonly firstFilter: number
  /** Filters of one block. */
  readonly filters: number
  readonly blocks: number
}

/** Beyond it the accumulators of two vectors, with inputs and weights, do not fit V8's 15 registers on x86-64. */
const maxFilters = 4

/** Blocks of up to four filters and a narrower last one. Filters of different groups read different inputs. */
export function denseRuns(filters: number, groups: number): readonly DenseRun[] {
  const inGroup = filters / groups
  let width = Math.min(maxFilters, inGroup)
  if (groups > 1) while (inGroup % width !== 0) width--
  const blocks = Math.floor(filters / width)
  const rest = filters - blocks * width
  const run = { firstFilter: 0, filters: width, blocks }
  return rest === 0 ? [run] : [run, { firstFilter: filters - rest, filters: rest, blocks: 1 }]
}

/** Vectors of outputs of one tile that go with the widest block. */
export const denseVectors = (runs: readonly DenseRun[]): number => (runs[0]!.filters > 2 ? 2 : 4)

/** Bytes of a block's record and of each of its entries: an address or offset, then a number for each filter. */
export const denseRowBytes = ({ filters }: DenseRun): number => 4 + 4 * filters

export const denseRunBytes = (run: DenseRun, depth: number): number =>
  run.blocks * (depth + 1) * denseRowBytes(run)
