/** Probabilities that learn from what was coded: the state behind every adaptive decision of the codecs. */
import type { BitCoder } from './range-decoder.ts'

/** How many decisions a probability remembers, by the selector in a payload. */
export const memoryLimits = [30, 60, 125, 250, 500, 1000] as const

const longestMemory = 1000
const one = 1 << 24

/** rates[n]: the step, in 1/32768, of a probability that has seen n decisions. */
export const rates: Int32Array = Int32Array.from({ length: longestMemory + 1 }, (_, n) =>
  Math.floor(65_536 / (2 * n + 3)),
)

export class AdaptiveBits {
  /** In 1/2²⁴: that the decision is 1. */
  readonly #probability: Int32Array
  readonly #seen: Uint16Array
  readonly #limit: number

  constructor(contexts: number, limit: number) {
    this.#probability = new Int32Array(contexts).fill(1 << 23)
    this.#seen = new Uint16Array(contexts)
    this.#limit = limit
  }

  /** Starts contexts from `first` on at p / 65536, as if `seen` decisions had said so. */
  start(first: number, end: number, p: number, seen: number): void {
    this.#probability.fill(p << 8, first, end)
    this.#seen.fill(seen, first, end)
  }

  /** In 1/65536, above 0 and below 1: that the decision is 1. */
  probability(context: number): number {
    return (this.#probability[context]! >>> 8) | 1
  }

  learn(context: number, bit: number): void {
    const probability = this.#probability[context]!
    const seen = this.#seen[context]!
    const rate = rates[seen]!
    this.#probability[context] =
      bit === 1
        ? probability + (Math.imul((one - probability) >> 9, rate) >> 6)
        : probability - (Math.imul(probability >> 9, rate) >> 6)
    if (seen < this.#limit) this.#seen[context] = seen + 1
  }

  code(coder: BitCoder, context: number, bit: number): number {
    const coded = coder.code(this.probability(context), bit)
    this.learn(context, coded)
    return coded
  }
}
