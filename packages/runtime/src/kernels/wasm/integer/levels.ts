/** From a layer's numbers to the levels of its output: bounds, then the quantization rule of `reference/integer.ts`. */

import { type Code, f32x4, i32, i32x4 } from '../../../assembler/instructions.ts'
import type { ActivationRange } from '../../../file/types.ts'
import type { Bounds } from '../../../plan/steps.ts'
import { clampVector } from '../epilogue.ts'

/** Four numbers → four 32-bit integers from 0 to the range's `max`. */
export function floatsToLevels(
  numbers: Code,
  bounds: Bounds | undefined,
  { scale, zero, max }: ActivationRange,
): Code {
  const bounded = clampVector(numbers, bounds)
  const levels = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(Math.fround(1 / scale))))
  const integers = i32x4.fromFloats(clampVector(levels, { min: -zero, max: max - zero }))
  return i32x4.add(integers, i32x4.splat(i32.const(zero)))
}
