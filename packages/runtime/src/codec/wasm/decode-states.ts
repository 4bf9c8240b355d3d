/** Decodes the string of a `fast` payload in WebAssembly. */
import type { TensorShape } from '../codec.ts'
import { type FastEnd, type FastString, fastBlocks, fastLanes } from '../fast.ts'
import type { TernaryTarget } from '../ternary.ts'
import { planDelivery } from './delivery.ts'
import { at, tablesAt } from './layout.ts'
import { openWorkspace, setWords } from './workspace.ts'

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
  const levelsAt = tablesAt + spans.byteLength
  const levelsEnd = levelsAt + perFilter + round
  const delivery = planDelivery(target, levelsEnd, bytes.length, filters, perFilter)
  const workspace = openWorkspace(delivery.end)
  if (workspace === undefined) return undefined

  const { buffer } = workspace.memory
  const words = new Int32Array(buffer, 0, levelsAt / 4)
  const memory = new Int8Array(buffer)
  setWords(words, { next: delivery.string, end: delivery.string + bytes.length })
  const statesAt = at('state0') / 4
  words.set(states, statesAt)
  words.set(spans, tablesAt / 4)
  memory.set(bytes, delivery.string)
  delivery.open(workspace)
  let decoded = 0
  memory.fill(0, levelsAt, levelsEnd)
  for (let filter = 0; filter < filters; filter++) {
    const start = filter * perFilter
    const rounds = Math.max(0, Math.ceil((start + perFilter - decoded) / round))
    workspace.decodeStates(levelsAt + decoded - start, rounds, rows, columns, tablesAt)
    decoded += rounds * round
    delivery.deliver(workspace, filter, levelsAt)
    memory.copyWithin(levelsAt, levelsAt + perFilter, levelsEnd)
    memory.fill(0, levelsAt + decoded - start - perFilter, levelsEnd)
  }
  delivery.close(workspace)
  return {
    states: [...words.subarray(statesAt, statesAt + fastLanes)],
    next: words[at('next') / 4]! - delivery.string,
    isPadded: memory.subarray(levelsAt, levelsAt + weights - elements).every(level => level === 0),
  }
}
