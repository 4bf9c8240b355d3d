/**
 * Seeded random numbers with a state that can be saved: xoshiro128** (Blackman & Vigna, 2018), seeded
 * through splitmix32. The same seed gives the same numbers on every machine.
 */

/** Four 32-bit words; enough to continue a stream exactly. */
export type RandomState = readonly [number, number, number, number]

export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number | RandomState) {
    if (typeof seed === 'number') {
      let word = Math.imul(seed | 0, 0x9e3779b1) ^ Math.floor(seed / 0x1_0000_0000)
      const next = () => {
        word = (word + 0x9e3779b9) | 0
        let z = word
        z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
        z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
        return (z ^ (z >>> 15)) >>> 0
      }
      this.#a = next()
      this.#b = next()
      this.#c = next()
      this.#d = next() | 1
    } else {
      ;[this.#a, this.#b, this.#c, this.#d] = seed
    }
  }

  /** The state to hand to the constructor later. */
  get state(): RandomState {
    return [this.#a, this.#b, this.#c, this.#d]
  }

  /** A stream of its own for a purpose, e.g. `fork('shuffle', epoch)`; this stream does not move. */
  fork(...labels: readonly (string | number)[]): Random {
    let hash = (this.#a ^ Math.imul(this.#b, 31) ^ Math.imul(this.#c, 961) ^ this.#d) | 0
    for (const label of labels) {
      for (const character of `${label}/`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
      hash ^= hash >>> 13
    }
    return new Random(hash >>> 0)
  }

  /** A whole number, uniform on [0, 2³²). */
  uint32(): number {
    const b5 = Math.imul(this.#b, 5)
    const result = Math.imul((b5 << 7) | (b5 >>> 25), 9) >>> 0
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    this.#a >>>= 0
    this.#b >>>= 0
    this.#c >>>= 0
    this.#d >>>= 0
    return result
  }

  /** Uniform on [low, high), by default [0, 1). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 0x1_0000_0000)
  }

  /** A whole number, uniform on [0, bound). */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound)
  }

  /** Normal with mean 0 and variance 1 (Box–Muller, one of the pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** Shuffles in place (Fisher–Yates). */
  shuffle<A extends { length: number; [index: number]: number }>(values: A): A {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const held = values[i]!
      values[i] = values[j]!
      values[j] = held
    }
    return values
  }
}
