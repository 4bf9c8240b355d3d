/** From numbers to the levels of bytes. */

import { type Code, f32x4, get, i32, i32x4, type Local, set, v128 } from '../../../assembler/instructions.ts'
import type { ActivationRange } from '../../../file/types.ts'
import type { Bounds } from '../../../plan/steps.ts'
import { clampVector } from '../epilogue.ts'

/**
 * 1.5 · 2^23. Between 2^23 and 2^24 the numbers of 32 bits are the integers, so that adding this rounds to the nearest, ties
 * to even, and leaves the integer in the lower bits; V8 makes one instruction of it and eight of `trunc_sat`.
 */
const rounder = 0x4b400000
const rounderNumber = 12_582_912

/**
 * Four numbers over a range's scale → four 32-bit integers from 0 to its `max`: the quantization rule of
 * `reference/integer.ts`.
 */
export function toLevels(scaled: Code, { zero, max }: Omit<ActivationRange, 'scale'>, scratch: Local): Code {
  const numbersOnly = v128.and(get(scratch), f32x4.eq(get(scratch), get(scratch)))
  const inRange = clampVector(numbersOnly, { min: -zero, max: max - zero })
  return [
    set(scratch, scaled),
    i32x4.add(f32x4.add(inRange, f32x4.splat(rounderNumber)), i32x4.splat(i32.const(zero - rounder))),
  ]
}

/** The same of a layer's numbers, after its bounds. */
export const floatsToLevels = (
  numbers: Code,
  bounds: Bounds | undefined,
  range: ActivationRange,
  scratch: Local,
): Code =>
  toLevels(f32x4.mul(clampVector(numbers, bounds), f32x4.splat(Math.fround(1 / range.scale))), range, scratch)
