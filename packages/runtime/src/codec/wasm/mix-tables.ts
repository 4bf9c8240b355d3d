/** What the decoder of mixed contexts needs in memory beside its contexts. */
import { firstMix, mixWeights } from '../contexts.ts'
import { logisticSteps, stretchTable } from '../logistic.ts'
import { setWords } from './workspace.ts'

export interface MixTables {
  readonly end: number
  write(buffer: ArrayBuffer): void
}

/** From `start` on. */
export function mixTables(start: number): MixTables {
  const stretched = stretchTable()
  const steps = start + 4 * mixWeights
  const stretchedAt = steps + 4 * logisticSteps.length
  return {
    end: stretchedAt + stretched.byteLength,
    write(buffer) {
      const words = new Int32Array(buffer)
      setWords(words, { mixes: start, logisticSteps: steps, stretched: stretchedAt })
      words.fill(firstMix, start / 4, steps / 4)
      words.set(logisticSteps, steps / 4)
      new Int16Array(buffer, stretchedAt).set(stretched)
    },
  }
}
