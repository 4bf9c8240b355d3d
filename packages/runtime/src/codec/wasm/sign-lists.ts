/** Lists of the places of +1 and −1 in a filter, made in WebAssembly. */
import type { ListSink } from '../../ternary-lists.ts'
import { emitSigns, signEndsAt } from './emit-signs.ts'
import type { Workspace } from './workspace.ts'

export interface SignLists {
  /** Behind the lists in the workspace. */
  readonly end: number
  /** Hands the lists of the filter whose levels lie at `levelsAt` to a sink. */
  sort(sink: ListSink, filter: number, levelsAt: number): void
}

/** Undefined where the host refuses. */
export function signLists(workspace: Workspace, perFilter: number, address: number): SignLists | undefined {
  const wide = perFilter > 0x1_0000
  const size = wide ? 4 : 2
  const minusAt = address + size * (perFilter + 1)
  const end = minusAt + size * (perFilter + 1)
  const emitted = workspace.prepare(emitSigns, wide)
  if (emitted === undefined) return undefined
  const List = wide ? Uint32Array : Uint16Array
  return {
    end,
    sort(sink, filter, levelsAt) {
      emitted(levelsAt, levelsAt + perFilter, address, minusAt)
      const { buffer } = workspace
      const [plusEnd, minusEnd] = new Uint32Array(buffer, signEndsAt, 2)
      sink.takeLists(
        filter,
        new List(buffer, address, (plusEnd! - address) / size),
        new List(buffer, minusAt, (minusEnd! - minusAt) / size),
      )
    },
  }
}
