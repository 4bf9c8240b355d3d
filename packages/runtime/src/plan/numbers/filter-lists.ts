/** The lists of one filter. */
import type { SignLists } from '../../tensors.ts'

/** Calls `visit` with the position in filter `filter` of each weight of this sign, in ascending order. */
export function visitSign(
  { ends, positions }: SignLists,
  filter: number,
  sign: number,
  visit: (position: number) => void,
): void {
  const list = 2 * filter + (sign > 0 ? 0 : 1)
  for (let index = list === 0 ? 0 : ends[list - 1]!; index < ends[list]!; index++) visit(positions[index]!)
}

/** The levels of a filter of `depth` weights. */
export function levelsOfFilter(lists: SignLists, filter: number, depth: number): Int8Array {
  const levels = new Int8Array(depth)
  for (const sign of [1, -1]) {
    visitSign(lists, filter, sign, position => {
      levels[position] = sign
    })
  }
  return levels
}
