/** How the numbers of a value are spread, gathered in two passes over the same numbers: their ends, then their counts. */
import { SternaError } from '../core/index.ts'

/** Fine against any range's steps: at least 16 bins a step of 255 levels over the whole spread. */
const bins = 4096

export class ValueHistogram {
  readonly #name: string
  #low = 0
  #high = 0
  #zeros = 0
  readonly #counts = new Float64Array(bins)

  constructor(name: string) {
    this.#name = name
  }

  /** The least and the largest number seen by `widen`, or 0 if all lie on one side of it. */
  get low(): number {
    return this.#low
  }

  get high(): number {
    return this.#high
  }

  widen(numbers: Float32Array): void {
    let [low, high] = [this.#low, this.#high]
    for (const number of numbers) {
      if (number < low) low = number
      else if (number > high) high = number
      else if (Number.isNaN(number)) low = number
    }
    if (!Number.isFinite(high - low)) {
      throw new SternaError(
        'usage/input',
        `value "${this.#name}": expected finite numbers, found NaN or infinity`,
        {
          hint: 'the network computes them from the images it is calibrated with: check how those are normalised',
        },
      )
    }
    ;[this.#low, this.#high] = [low, high]
  }

  /** After all numbers were given to `widen`. */
  count(numbers: Float32Array): void {
    const low = this.#low
    const perUnit = bins / (this.#high - low || 1)
    for (const number of numbers) {
      if (number === 0) this.#zeros++
      else this.#counts[Math.min(bins - 1, Math.floor((number - low) * perUnit))]!++
    }
  }

  /** Exact zeros, which every range holds. */
  get zeros(): number {
    return this.#zeros
  }

  /** The middle of every bin that holds numbers, ascending, and how many. */
  entries(): readonly (readonly [number: number, count: number])[] {
    const width = (this.#high - this.#low) / bins
    return Array.from(
      this.#counts,
      (count, index) => [this.#low + (index + 0.5) * width, count] as const,
    ).filter(([, count]) => count > 0)
  }
}
