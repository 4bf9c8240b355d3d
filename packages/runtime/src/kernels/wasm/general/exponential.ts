/**
 * e^x for x ≤ 0, four at a time. With n the integer nearest to x / ln 2 and r = x − n ln 2, e^x = 2^n (1 + (e^r − 1)).
 * For |r| ≤ 0.3467, e^r − 1 = r + r² (1/2 + r (c₀ + r (c₁ + r (c₂ + r c₃)))) but for 2^−26 of it: the coefficients are
 * the minimax fit to that, rounded to floats.
 */
import { type Code, f32x4, get, i32, i32x4, type Local, set } from '../../../assembler/instructions.ts'
import type { ValueType } from '../../../assembler/module.ts'

const coefficients = [0.16666548, 0.041666854, 0.008366067, 0.0013898232]
/** The first has nine bits, so that n times it is exact. */
const ln2Parts = [0.693359375, -2.1219444e-4] as const
/** A float whose last bit is worth 1: of a sum with it the lower bits are the integer nearest to what was added. */
const integers = { value: 12_582_912, bits: 0x4b40_0000 }
/** e^x is less than half the least float from here on, so that it rounds to 0. */
export const leastExponent = -104

/** Code that refers to the x split last. */
export interface Exponential {
  /**
   * @param x no more than 0; a NaN gives NaNs
   * @param least what takes the place of anything less
   * @param low what x is to be larger by, less than its last digit
   */
  split(x: Code, least: number, low?: Code): Code
  /** e^r − 1 */
  readonly fraction: Code
  /** 2^n, where that is no less than the least normal float */
  readonly power: Code
  /** e^x, whatever n is */
  readonly value: Code
}

export function exponential(local: (type: ValueType) => Local): Exponential {
  const [x, n, r] = [local('v128'), local('v128'), local('v128')]
  const powerOf = (exponent: Code): Code =>
    i32x4.shiftLeft(i32x4.add(exponent, i32x4.splat(i32.const(127))), i32.const(23))
  const product = (a: Code, b: number): Code => f32x4.mul(a, f32x4.splat(b))
  const polynomial = coefficients
    .slice(0, -1)
    .reduceRight<Code>(
      (sum, coefficient) => f32x4.add(f32x4.mul(sum, get(r)), f32x4.splat(coefficient)),
      f32x4.splat(coefficients.at(-1)!),
    )
  // In two steps, of which only the second may round: 2^n itself may be no normal float.
  const half = i32x4.shiftRight(get(n), i32.const(1))
  return {
    split: (value, least, low) => [
      set(x, f32x4.larger(value, f32x4.splat(least))),
      set(n, f32x4.add(product(get(x), Math.LOG2E), f32x4.splat(integers.value))),
      set(r, f32x4.sub(get(n), f32x4.splat(integers.value))),
      set(r, f32x4.sub(f32x4.sub(get(x), product(get(r), ln2Parts[0])), product(get(r), ln2Parts[1]))),
      low === undefined ? [] : set(r, f32x4.add(get(r), low)),
      set(n, i32x4.sub(get(n), i32x4.splat(i32.const(integers.bits)))),
      set(
        r,
        f32x4.add(
          get(r),
          f32x4.mul(f32x4.mul(get(r), get(r)), f32x4.add(f32x4.splat(0.5), f32x4.mul(get(r), polynomial))),
        ),
      ),
    ],
    fraction: get(r),
    power: powerOf(get(n)),
    value: f32x4.mul(
      f32x4.mul(f32x4.add(f32x4.splat(1), get(r)), powerOf(half)),
      powerOf(i32x4.sub(get(n), half)),
    ),
  }
}
