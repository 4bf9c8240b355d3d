/** Decodes 16-bit floats that `HalfModel` models in WebAssembly. */
import { rates } from '../adaptive-bits.ts'
import { memory as remembered } from '../coded-values.ts'
import type { RangeDecoder } from '../range-decoder.ts'
import { tablesAt } from './layout.ts'
import { lendCoder, openWorkspace, returnCoder, setWords } from './workspace.ts'

const contextsAt = tablesAt + rates.byteLength
/** Of a byte: as many as nodes in its tree. */
const contexts = 256
const halvesAt = contextsAt + 8 * contexts

/** The first `count` numbers, as bits; undefined where the host refuses. */
export function decodeHalvesInWasm(coder: RangeDecoder, count: number): Uint16Array | undefined {
  const stringAt = halvesAt + 2 * count
  const workspace = openWorkspace(stringAt + coder.rest.length)
  if (workspace === undefined) return undefined
  const { memory } = workspace
  const words = new Int32Array(memory.buffer)
  setWords(words, { contexts: contextsAt, toSeen: 4 * contexts, memory: remembered })
  words.set(rates, tablesAt / 4)
  words.fill(1 << 23, contextsAt / 4, contextsAt / 4 + contexts)
  words.fill(0, contextsAt / 4 + contexts, halvesAt / 4)
  lendCoder(memory, coder, stringAt)
  workspace.decodeHalves(halvesAt, stringAt)
  returnCoder(memory, coder, stringAt)
  return new Uint16Array(memory.buffer, halvesAt, count).slice()
}
