/** Decodes the string of a `fast` payload in WebAssembly. */
import { ListSink } from '../../ternary-lists.ts'
import type { TensorShape } from '../codec.ts'
import { type FastEnd, type FastString, fastBlocks, fastLanes } from '../fast.ts'
import type { TernaryTarget } from '../ternary.ts'
import { at } from './layout.ts'
import { listsAt, sortSigns } from './sort-signs.ts'
import { openWorkspace, setWords } from './workspace.ts'

const spansAt = 128

/** Fills the target; undefined where the host refuses, before anything is done. */
export function decodeStatesInWasm(
  { states, spans, bytes }: FastString,
  shape: TensorShape,
  target: TernaryTarget,
): FastEnd | undefined {
  const { elements, filters } = shape
  const { rows, columns, weights } = fastBlocks(shape)
  const perFilter = elements / filters
  const round = fastLanes * rows * columns
  // Rounds go on beyond the end of a filter: what they give of the next ones moves to the front.
  const levelsAt = spansAt + spans.byteLength
  const levelsEnd = levelsAt + perFilter + round
  const lists = listsAt(levelsEnd, perFilter)
  const workspace = openWorkspace(lists.end + bytes.length)
  if (workspace === undefined) return undefined

  const { buffer } = workspace.memory
  const words = new Int32Array(buffer, 0, levelsAt / 4)
  const memory = new Int8Array(buffer)
  setWords(words, { next: lists.end, end: lists.end + bytes.length })
  const statesAt = at('state0') / 4
  words.set(states, statesAt)
  words.set(spans, spansAt / 4)
  memory.set(bytes, lists.end)
  let decoded = 0
  memory.fill(0, levelsAt, levelsEnd)
  for (let filter = 0; filter < filters; filter++) {
    const start = filter * perFilter
    const rounds = Math.max(0, Math.ceil((start + perFilter - decoded) / round))
    workspace.decodeStates(levelsAt + decoded - start, rounds, rows, columns, spansAt)
    decoded += rounds * round
    if (target instanceof ListSink) sortSigns(workspace, target, filter, levelsAt, lists)
    else target.set(memory.subarray(levelsAt, levelsAt + perFilter), start)
    memory.copyWithin(levelsAt, levelsAt + perFilter, levelsEnd)
    memory.fill(0, levelsAt + decoded - start - perFilter, levelsEnd)
  }
  return {
    states: [...words.subarray(statesAt, statesAt + fastLanes)],
    next: words[at('next') / 4]! - lists.end,
    isPadded: memory.subarray(levelsAt, levelsAt + weights - elements).every(level => level === 0),
  }
}
