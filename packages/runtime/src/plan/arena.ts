/** Where in one block of memory each value lies, so that values alive at the same time never overlap. */

export interface Lifetime {
  readonly name: string
  readonly bytes: number
  /** Step that writes it; −1 for an input of the model. */
  readonly first: number
  /** Last step that reads it; +∞ for an output of the model. */
  readonly last: number
}

export interface Arena {
  readonly bytes: number
  readonly offsets: ReadonlyMap<string, number>
}

/** One cache line, so that no two values share one. */
export const alignment = 64

export const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment

/** First fit in order of time: every value takes the lowest gap that is wide enough when it is written. */
export function planArena(lifetimes: readonly Lifetime[]): Arena {
  const offsets = new Map<string, number>()
  /** In order of offset. */
  let live: { readonly offset: number; readonly end: number; readonly last: number }[] = []
  let bytes = 0
  for (const { name, bytes: size, first, last } of [...lifetimes].sort((a, b) => a.first - b.first)) {
    live = live.filter(block => block.last >= first)
    let offset = 0
    let place = 0
    while (place < live.length && live[place]!.offset - offset < size) offset = align(live[place++]!.end)
    live.splice(place, 0, { offset, end: offset + size, last })
    offsets.set(name, offset)
    bytes = Math.max(bytes, align(offset + size))
  }
  return { bytes, offsets }
}
