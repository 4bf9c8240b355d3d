/** Lists of the places of +1 and −1 in a filter. */
import type { ListSink } from '../../ternary-lists.ts'
import { at } from './layout.ts'
import type { Workspace } from './workspace.ts'

/** Room in the workspace for both lists of one filter. */
export interface ListRoom {
  readonly perFilter: number
  readonly plus: number
  readonly minus: number
  readonly end: number
  /** Bytes of a place. */
  readonly size: 2 | 4
}

/** Behind `start`. */
export function listsAt(start: number, perFilter: number): ListRoom {
  const size = perFilter > 0x1_0000 ? 4 : 2
  const plus = Math.ceil(start / 4) * 4
  const minus = plus + size * (perFilter + 1)
  return { perFilter, plus, minus, end: minus + size * (perFilter + 1), size }
}

/** Hands the lists of the filter whose levels lie at `levels` to a sink. */
export function sortSigns(
  workspace: Workspace,
  sink: ListSink,
  filter: number,
  levels: number,
  { perFilter, plus, minus, size }: ListRoom,
): void {
  const [sort, List] =
    size === 4 ? [workspace.sortWideSigns, Uint32Array] : [workspace.sortSigns, Uint16Array]
  sort(levels, levels + perFilter, plus, minus)
  const { buffer } = workspace.memory
  const [plusEnd, minusEnd] = new Uint32Array(buffer, at('plusEnd'), 2)
  sink.takeLists(
    filter,
    new List(buffer, plus, (plusEnd! - plus) / size),
    new List(buffer, minus, (minusEnd! - minus) / size),
  )
}
