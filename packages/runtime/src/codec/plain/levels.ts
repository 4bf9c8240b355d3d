/** How single weights are coded, given their place: the part in which context sets, and `small` and `max`, differ. */
import { AdaptiveBits } from '../adaptive-bits.ts'
import {
  balances,
  type ContextSet,
  densityClasses,
  fineDensityClasses,
  firstMix,
  largestBalance,
  largestCount,
  largestMix,
  largestPlace,
  learningShift,
  mixWeights,
  neighbourClasses,
  setSizes,
  startsAfter,
  tableSize,
  tables,
} from '../contexts.ts'
import { logistic, stretchTable } from '../logistic.ts'
import type { BitCoder } from '../range-decoder.ts'
import type { TernaryModel } from '../ternary-model.ts'

/** Codes the levels −1, 0 and +1 of a tensor, one kernel after the other. */
export interface LevelCoder {
  /** The densities of the next kernel's channel and filter: 16 × log2 of their ratio to the tensor's. */
  startKernel(channelDensity: number, filterDensity: number): void
  /** `row` and `column` of the plane in which `index` has its neighbours. */
  code(coder: BitCoder, level: number, index: number, row: number, column: number): number
}

/** A tensor being coded: its weights so far, the width of the plane of neighbours, and the term below, if any. */
export interface Coded {
  readonly weights: Int8Array
  readonly width: number
  /** The assignment of the term before this one in a sum of several: its contexts have one set for each value. */
  readonly below: Int8Array | undefined
}

/** 0 to `classes` − 1, the middle for a density that is the tensor's; 2^-`shift` × 16 classes for a factor of two. */
function densityClass(relative: number, shift: number, classes = densityClasses): number {
  const middle = (classes - 1) >> 1
  return Math.max(0, Math.min(classes - 1, ((relative + (1 << (shift - 1))) >> shift) + middle))
}

/** One context for every decision. */
export class SetLevels implements LevelCoder {
  readonly #weights: Int8Array
  readonly #width: number
  readonly #below: Int8Array | undefined
  readonly #bits: AdaptiveBits
  readonly #set: ContextSet
  readonly #zeros: number
  readonly #signs: number
  #density = 0
  #place = 0
  #count = 0
  #balance = 0

  constructor({ weights, width, below }: Coded, model: TernaryModel) {
    this.#weights = weights
    this.#width = width
    this.#below = below
    this.#set = model.set
    const { zeros, signs } = setSizes(model.set)
    this.#zeros = zeros
    this.#signs = signs
    const allZeros = 2 * this.#zeros
    const all = allZeros + 3 * this.#signs
    this.#bits = new AdaptiveBits(all, model.memory)
    this.#bits.start(0, allZeros, model.density << 8, startsAfter)
    this.#bits.start(allZeros, all, model.negative << 8, startsAfter)
  }

  startKernel(channelDensity: number, filterDensity: number): void {
    const relative = channelDensity + filterDensity
    this.#density =
      this.#set === 'matrix' ? densityClass(relative, 3, fineDensityClasses) : densityClass(relative, 4)
    this.#place = 0
    this.#count = 0
    this.#balance = 0
  }

  code(coder: BitCoder, level: number, index: number, row: number, column: number): number {
    const left = column > 0 ? this.#weights[index - 1]! : 0
    const up = row > 0 ? this.#weights[index - this.#width]! : 0
    const product = left * up
    const neighbours = product === 0 ? (left | up) & 1 : product > 0 ? 2 : 3
    const set = this.#set
    let context = this.#density
    if (set === 'plane') {
      context += neighbours * densityClasses
    } else if (set === 'kernel') {
      const place = Math.min(largestPlace, this.#place++)
      const count = Math.min(largestCount, this.#count)
      context = (place * (largestCount + 1) + count) * neighbourClasses + neighbours
    }
    const below = this.#below === undefined ? 0 : this.#below[index]!
    if (this.#bits.code(coder, (below & 1) * this.#zeros + context, level & 1) === 0) return 0
    let sign = left + up + 2
    if (set === 'kernel') {
      const balance = Math.max(-largestBalance, Math.min(largestBalance, this.#balance))
      sign = sign * balances + balance + largestBalance
    }
    const first = 2 * this.#zeros + (below + 1) * this.#signs
    const coded = 1 - 2 * this.#bits.code(coder, first + sign, level < 0 ? 1 : 0)
    this.#count++
    this.#balance += coded
    return coded
  }
}

/** Every decision is predicted in four contexts; the mix of the four learns from every result. */
export class MixedLevels implements LevelCoder {
  readonly #weights: Int8Array
  readonly #width: number
  readonly #below: Int8Array | undefined
  readonly #bits: AdaptiveBits
  /** Of the decision about zero by class of neighbours, then of that about the sign; so for each value below. */
  readonly #mix = new Int32Array(mixWeights).fill(firstMix)
  readonly #stretched = stretchTable()
  #density = 0
  #densityPair = 0

  constructor({ weights, width, below }: Coded, model: TernaryModel) {
    this.#weights = weights
    this.#width = width
    this.#below = below
    const half = tables * tableSize
    this.#bits = new AdaptiveBits(5 * half, model.memory)
    this.#bits.start(0, 2 * half, model.density << 8, startsAfter)
    this.#bits.start(2 * half, 5 * half, model.negative << 8, startsAfter)
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
    const corners = tableSize + pair + 4 * (upLeft + 1) + upRight + 1
    const beyond = 2 * tableSize + pair + 4 * (leftLeft + 1) + upUp + 1
    const densities = 3 * tableSize + this.#densityPair
    const below = this.#below === undefined ? 0 : this.#below[index]!
    const plane = neighbours * densityClasses + this.#density
    const mix = (neighbourClasses + 1) * (below + 1)
    const start = (below & 1) * tables * tableSize
    if (this.#code(coder, mix + neighbours, start, plane, corners, beyond, densities, level & 1) === 0)
      return 0
    const signStart = (below + 3) * tables * tableSize
    const sum = plainLeft + plainUp + 2
    const signMix = mix + neighbourClasses
    return 1 - 2 * this.#code(coder, signMix, signStart, sum, corners, beyond, densities, level < 0 ? 1 : 0)
  }

  /** Written out for four inputs: loops over arrays take half as long again. */
  #code(
    coder: BitCoder,
    mix: number,
    start: number,
    plane: number,
    corners: number,
    beyond: number,
    densities: number,
    bit: number,
  ): number {
    const bits = this.#bits
    const weights = this.#mix
    const stretched = this.#stretched
    const at = tables * mix
    const z0 = stretched[bits.probability(start + plane) >> 4]!
    const z1 = stretched[bits.probability(start + corners) >> 4]!
    const z2 = stretched[bits.probability(start + beyond) >> 4]!
    const z3 = stretched[bits.probability(start + densities) >> 4]!
    const w0 = weights[at]!
    const w1 = weights[at + 1]!
    const w2 = weights[at + 2]!
    const w3 = weights[at + 3]!
    const sum =
      (Math.imul(w0, z0) >> 2) +
      (Math.imul(w1, z1) >> 2) +
      (Math.imul(w2, z2) >> 2) +
      (Math.imul(w3, z3) >> 2)
    const p = logistic(Math.max(-2047, Math.min(2047, sum >> 14)))
    const coded = coder.code(p, bit)
    const error = (coded << 16) - p
    weights[at] = limitMix(w0 + (Math.imul(z0, error) >> learningShift))
    weights[at + 1] = limitMix(w1 + (Math.imul(z1, error) >> learningShift))
    weights[at + 2] = limitMix(w2 + (Math.imul(z2, error) >> learningShift))
    weights[at + 3] = limitMix(w3 + (Math.imul(z3, error) >> learningShift))
    bits.learn(start + plane, coded)
    bits.learn(start + corners, coded)
    bits.learn(start + beyond, coded)
    bits.learn(start + densities, coded)
    return coded
  }
}

function limitMix(weight: number): number {
  return Math.max(-largestMix, Math.min(largestMix, weight))
}
