/** Memory behind a network's own that a module needs while it loads its weights. */
import { words } from 'sterna-runtime/compile'
import { fastContexts, fastLanes } from 'sterna-runtime/format'
import type { CodedRegion } from './code-regions.ts'

/** Addresses. */
export interface Scratch {
  /** What the decoder of four states works with. */
  readonly words: number
  /** Four words for each context. */
  readonly spans: number
  /** Entry of each weight of a filter. */
  readonly table: number
  readonly levels: number
  /** Both lists of a filter before they go to their places. */
  readonly rooms: readonly [number, number]
  /** The coded string of one region. */
  readonly string: number
  readonly end: number
}

export function planScratch(start: number, coded: readonly CodedRegion[]): Scratch {
  let end = Math.ceil(start / 16) * 16
  const take = (bytes: number): number => {
    const address = end
    end = Math.ceil((address + bytes) / 16) * 16
    return address
  }
  const most = (sizeOf: (region: CodedRegion) => number): number => Math.max(0, ...coded.map(sizeOf))
  // A place is written before it is known whether it stays: one more than there are weights.
  const room = most(({ region: { depth } }) => 4 * (depth + 1))
  return {
    words: take(4 * words.length),
    spans: take(4 * fastLanes * fastContexts),
    table: take(most(({ region: { depth } }) => 4 * depth)),
    levels: take(most(({ filterBytes }) => filterBytes)),
    rooms: [take(room), take(room)],
    string: take(most(({ length }) => length)),
    end,
  }
}
