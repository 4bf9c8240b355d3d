/** The encoding half of the runtime's `fast` codec. */
import {
  fastBlocks,
  fastContexts,
  fastLanes,
  frequencyBits,
  lowestState,
  magnitudeLayouts,
  oneContextFlag,
} from 'sterna-runtime/format'
import { ByteWriter } from './byte-writer.ts'
import type { StoredTernary } from './encode-coded.ts'

const total = 1 << frequencyBits

/** The payload of the `fast` codec: with contexts, or with one for all weights where that is shorter. */
export function encodeFast(tensor: StoredTernary): Uint8Array {
  const [contexts, one] = [encode(tensor, false), encode(tensor, true)]
  return contexts.length < one.length ? contexts : one
}

function encode({ shape, layout, magnitudes, assignment }: StoredTernary, one: boolean): Uint8Array {
  const { rows, columns, weights } = fastBlocks(shape)
  const padded = new Int8Array(weights)
  padded.set(assignment)
  const out = new ByteWriter()
  out.u8(magnitudeLayouts.indexOf(layout) | (one ? oneContextFlag : 0))
  for (const bits of magnitudes) out.u16(bits)
  out.bytes(encodeStates(padded, rows, columns, one))
  return out.finish()
}

/**
 * The frequencies of each context, 12 bits for 0 and 12 for +1, then the four states, then the string they go on with.
 * @param levels −1, 0 or +1 in blocks of rows × columns, a multiple of four blocks
 * @param one whether one context serves all
 */
export function encodeStates(levels: Int8Array, rows: number, columns: number, one: boolean): Uint8Array {
  const weights = levels.length
  const block = rows * columns
  const contexts = new Uint8Array(weights)
  const counts = new Float64Array(3 * fastContexts)
  for (let index = 0; index < weights; index++) {
    const place = index % block
    const left = place % columns > 0 ? levels[index - 1]! : 0
    const up = place >= columns ? levels[index - columns]! : 0
    const context = one ? 0 : 3 * left + up + 4
    contexts[index] = context
    counts[3 * context + symbolOf(levels[index]!)]! += 1
  }
  const out = new ByteWriter()
  const begins = new Int32Array(4 * fastContexts)
  for (let context = 0; context < (one ? 1 : fastContexts); context++) {
    const [zero, positive] = frequencies(counts.subarray(3 * context, 3 * context + 3))
    begins.set([0, zero, zero + positive, total], 4 * context)
    out.u16(zero | ((positive & 0xf) << 12))
    out.u8(positive >> 4)
  }

  const states = new Int32Array(fastLanes).fill(lowestState)
  const words: number[] = []
  for (let base = weights - fastLanes * block; base >= 0; base -= fastLanes * block) {
    for (let place = block - 1; place >= 0; place--) {
      for (let lane = fastLanes - 1; lane >= 0; lane--) {
        const index = base + lane * block + place
        const at = 4 * contexts[index]! + symbolOf(levels[index]!)
        const begin = begins[at]!
        const frequency = begins[at + 1]! - begin
        let state = states[lane]!
        if (state >= frequency * ((lowestState * 0x1_0000) / total)) {
          words.push(state & 0xffff)
          state >>>= 16
        }
        states[lane] = Math.floor(state / frequency) * total + (state % frequency) + begin
      }
    }
  }
  for (const state of states) out.u32(state)
  for (let index = words.length - 1; index >= 0; index--) out.u16(words[index]!)
  return out.finish()
}

/** 0, +1, −1 in the order of their frequencies. */
function symbolOf(level: number): number {
  return level < 0 ? 2 : level
}

/** Of 0 and of +1 in 4096, at least 1 for each level that occurs; at most 4095 for either. */
function frequencies(counts: Float64Array): readonly [zero: number, positive: number] {
  const sum = counts[0]! + counts[1]! + counts[2]!
  if (sum === 0) return [0, 0]
  const share = (count: number) => (count === 0 ? 0 : Math.max(1, Math.round((count / sum) * total)))
  const shares = Array.from(counts, share)
  const largest = shares.indexOf(Math.max(...shares))
  shares[largest]! += total - shares[0]! - shares[1]! - shares[2]!
  // A lone 0 or +1 leaves 1 to the level behind it: 4096 does not fit the field.
  return [Math.min(total - 1, shares[0]!), Math.min(total - 1, shares[1]!)]
}
