/** Where decoded levels go: into lists in the workspace, or straight into the target. */
import { ListSink } from '../../ternary-lists.ts'
import type { TernaryTarget } from '../ternary.ts'
import { at } from './layout.ts'
import { setWords, type Workspace } from './workspace.ts'

/** Room in the workspace for the string that is decoded and, where the target is a sink, for its lists. */
export interface Delivery {
  readonly string: number
  readonly end: number
  /** Starts anew. */
  open(workspace: Workspace): void
  /** Takes the levels of the next filter, which lie at `levels`. */
  deliver(workspace: Workspace, filter: number, levels: number): void
  close(workspace: Workspace): void
}

/** From `start` on, for filters of `perFilter` levels. */
export function planDelivery(
  target: TernaryTarget,
  start: number,
  stringBytes: number,
  filters: number,
  perFilter: number,
): Delivery {
  if (!(target instanceof ListSink)) {
    return {
      string: start,
      end: start + stringBytes,
      open() {},
      deliver({ memory }, filter, levels) {
        target.set(new Int8Array(memory.buffer, levels, perFilter), filter * perFilter)
      },
      close() {},
    }
  }
  const isWide = perFilter > 0x1_0000
  const [size, List] = isWide ? [4, Uint32Array] : [2, Uint16Array]
  const ends = Math.ceil(start / 4) * 4
  const room = ends + 8 * filters
  const string = room + size * (perFilter + 1)
  const lists = Math.ceil((string + stringBytes) / 4) * 4
  return {
    string,
    end: lists + size * (filters * perFilter + 1),
    open({ memory }) {
      setWords(new Int32Array(memory.buffer), { lists, listsEnd: lists, ends })
    },
    deliver({ sortSigns, sortWideSigns }, filter, levels) {
      const sort = isWide ? sortWideSigns : sortSigns
      sort(levels, levels + perFilter, room, target.isTurned(filter) ? -1 : 1)
    },
    close({ memory: { buffer } }) {
      const listsEnd = new Uint32Array(buffer)[at('listsEnd') / 4]!
      target.adopt({
        ends: new Uint32Array(buffer, ends, 2 * filters).slice(),
        positions: new List(buffer, lists, (listsEnd - lists) / size).slice(),
      })
    },
  }
}
