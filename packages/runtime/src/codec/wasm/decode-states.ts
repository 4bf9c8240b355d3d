/** Decodes the string of a `fast` payload in WebAssembly. */
import { ListSink } from '../../ternary-lists.ts'
import type { TensorShape } from '../codec.ts'
import { type FastEnd, type FastString, fastBlocks, fastLanes } from '../fast.ts'
import type { TernaryTarget } from '../ternary.ts'
import { emitStates, statesAt } from './emit-states.ts'
import { signLists } from './sign-lists.ts'
import { openWorkspace } from './workspace.ts'

const spansAt = 64

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
  const listsAt = Math.ceil(levelsEnd / 4) * 4
  const workspace = openWorkspace()
  const decode = workspace?.prepare(emitStates, undefined)
  const lists = workspace && signLists(workspace, perFilter, listsAt)
  const buffer = lists && workspace.reserve(lists.end + bytes.length)
  if (decode === undefined || buffer === undefined) return undefined

  const words = new Int32Array(buffer, 0, levelsAt / 4)
  const memory = new Int8Array(buffer)
  words.set([...states, lists!.end, lists!.end + bytes.length], statesAt / 4)
  words.set(spans, spansAt / 4)
  memory.set(bytes, lists!.end)
  let decoded = 0
  memory.fill(0, levelsAt, levelsEnd)
  for (let filter = 0; filter < filters; filter++) {
    const start = filter * perFilter
    const rounds = Math.max(0, Math.ceil((start + perFilter - decoded) / round))
    decode(levelsAt + decoded - start, rounds, rows, columns, spansAt)
    decoded += rounds * round
    if (target instanceof ListSink) lists!.sort(target, filter, levelsAt)
    else target.set(memory.subarray(levelsAt, levelsAt + perFilter), start)
    memory.copyWithin(levelsAt, levelsAt + perFilter, levelsEnd)
    memory.fill(0, levelsAt + decoded - start - perFilter, levelsEnd)
  }
  const at = statesAt / 4
  return {
    states: [...words.subarray(at, at + fastLanes)],
    next: words[at + fastLanes]! - lists!.end,
    isPadded: memory.subarray(levelsAt, levelsAt + weights - elements).every(level => level === 0),
  }
}
