/** How single weights are coded, given their place: the part in which `small` and `max` differ. */
import { AdaptiveBits } from './adaptive-bits.ts'
import { logistic, stretch } from './logistic.ts'
import type { BitCoder } from './range-decoder.ts'
import type { TernaryModel } from './ternary-model.ts'

/** Codes the levels −1, 0 and +1 of a tensor, one kernel after the other. */
export interface LevelCoder {
  /** The densities of the next kernel's channel and filter: 16 × log2 of their ratio to the tensor's. */
  startKernel(channelDensity: number, filterDensity: number): void
  /** `row` and `column` of the plane in which `index` has its neighbours. */
  code(coder: BitCoder, level: number, index: number, row: number, column: number): number
}

const densityClasses = 7
/** By left and up: none, one, two equal, two opposite. */
const neighbourClasses = 4
const contextsOfZero = densityClasses * neighbourClasses
const contextsOfSign = 5
const startsAfter = 2

/** 0 to 6, the middle for a density that is the tensor's; 2^-`shift` × 16 classes for a factor of two. */
function densityClass(relative: number, shift: number): number {
  const middle = (densityClasses - 1) / 2
  return Math.max(0, Math.min(densityClasses - 1, ((relative + (1 << (shift - 1))) >> shift) + middle))
}

/** One context for every decision: two neighbours and how dense channel and filter are together. */
export class NeighbourLevels implements LevelCoder {
  readonly #weights: Int8Array
  readonly #width: number
  readonly #bits: AdaptiveBits
  #density = 0

  constructor(weights: Int8Array, width: number, model: TernaryModel) {
    this.#weights = weights
    this.#width = width
    this.#bits = new AdaptiveBits(contextsOfZero + contextsOfSign, model.memory)
    this.#bits.start(0, contextsOfZero, model.density << 8, startsAfter)
    this.#bits.start(contextsOfZero, contextsOfZero + contextsOfSign, model.negative << 8, startsAfter)
  }

  startKernel(channelDensity: number, filterDensity: number): void {
    this.#density = densityClass(channelDensity + filterDensity, 4)
  }

  code(coder: BitCoder, level: number, index: number, row: number, column: number): number {
    const left = column > 0 ? this.#weights[index - 1]! : 0
    const up = row > 0 ? this.#weights[index - this.#width]! : 0
    const product = left * up
    const neighbours = product === 0 ? (left | up) & 1 : product > 0 ? 2 : 3
    if (this.#bits.code(coder, neighbours * densityClasses + this.#density, level & 1) === 0) return 0
    return 1 - 2 * this.#bits.code(coder, contextsOfZero + 2 + left + up, level < 0 ? 1 : 0)
  }
}

/** Every decision is predicted in four contexts; the mix of the four learns from every result. */
export class MixedLevels implements LevelCoder {
  readonly #weights: Int8Array
  readonly #width: number
  readonly #bits: AdaptiveBits
  readonly #contexts = new Int32Array(4)
  readonly #stretched = new Int32Array(4)
  readonly #mix = new Int32Array(4 * (neighbourClasses + 1)).fill(22_000)
  #density = 0
  #densityPair = 0

  constructor(weights: Int8Array, width: number, model: TernaryModel) {
    this.#weights = weights
    this.#width = width
    this.#bits = new AdaptiveBits(8 * tableSize, model.memory)
    this.#bits.start(0, 4 * tableSize, model.density << 8, startsAfter)
    this.#bits.start(4 * tableSize, 8 * tableSize, model.negative << 8, startsAfter)
  }

  startKernel(channelDensity: number, filterDensity: number): void {
    this.#density = densityClass(channelDensity + filterDensity, 4)
    this.#densityPair = densityClasses * densityClass(channelDensity, 3) + densityClass(filterDensity, 3)
  }

  code(coder: BitCoder, level: number, index: number, row: number, column: number): number {
    const weights = this.#weights
    const width = this.#width
    const hasLeft = column > 0
    const hasUp = row > 0
    const left = hasLeft ? weights[index - 1]! : 2
    const up = hasUp ? weights[index - width]! : 2
    const upLeft = hasLeft && hasUp ? weights[index - width - 1]! : 2
    const upRight = hasUp && column + 1 < width ? weights[index - width + 1]! : 2
    const leftLeft = column > 1 ? weights[index - 2]! : 2
    const upUp = row > 1 ? weights[index - 2 * width]! : 2
    const plainLeft = hasLeft ? left : 0
    const plainUp = hasUp ? up : 0
    const product = plainLeft * plainUp
    const neighbours = product === 0 ? (plainLeft | plainUp) & 1 : product > 0 ? 2 : 3
    const pair = 16 * (4 * (left + 1) + up + 1)
    const contexts = this.#contexts
    contexts[0] = neighbours * densityClasses + this.#density
    contexts[1] = tableSize + pair + 4 * (upLeft + 1) + upRight + 1
    contexts[2] = 2 * tableSize + pair + 4 * (leftLeft + 1) + upUp + 1
    contexts[3] = 3 * tableSize + this.#densityPair
    if (this.#codeMixed(coder, 4 * neighbours, level & 1) === 0) return 0
    for (let input = 0; input < 4; input++) contexts[input]! += 4 * tableSize
    contexts[0] = 4 * tableSize + 2 + plainLeft + plainUp
    return 1 - 2 * this.#codeMixed(coder, 4 * neighbourClasses, level < 0 ? 1 : 0)
  }

  #codeMixed(coder: BitCoder, mix: number, bit: number): number {
    const contexts = this.#contexts
    const stretched = this.#stretched
    let sum = 0
    for (let input = 0; input < 4; input++) {
      stretched[input] = stretch(this.#bits.probability(contexts[input]!))
      sum += Math.imul(this.#mix[mix + input]!, stretched[input]!) >> 2
    }
    const p = logistic(Math.max(-2047, Math.min(2047, sum >> 14)))
    const coded = coder.code(p, bit)
    const error = (coded << 16) - p
    for (let input = 0; input < 4; input++) {
      const weight = this.#mix[mix + input]! + (Math.imul(stretched[input]!, error) >> learningShift)
      this.#mix[mix + input] = Math.max(-largestMix, Math.min(largestMix, weight))
      this.#bits.learn(contexts[input]!, coded)
    }
    return coded
  }
}

const tableSize = 256
const learningShift = 14
const largestMix = 0x7_ffff
