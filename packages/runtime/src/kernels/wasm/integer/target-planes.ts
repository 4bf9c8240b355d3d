/** Storing a vector of bytes in every plane of a value. */

import { type Code, i8x16, i32, v128 } from '../../../assembler/instructions.ts'
import { maskKey, needsMasks, tiledPixels } from '../../../plan/integer/byte-layout.ts'
import type { Place } from '../../../plan/integer/byte-step.ts'
import type { Plan } from '../../../plan/plan.ts'

export interface TargetPlane {
  /** Bytes from the value's address to where vector 0 of the plane is stored. */
  readonly offset: number
  /** Bytes from the masks' address to this plane's mask, where it has one: ones where the byte belongs there. */
  readonly mask: number | undefined
}

/** Where in its channel each plane of a value is written, and what of it has to be zero. */
export function targetPlanes({ layout }: Place): TargetPlane[] {
  const tiled = tiledPixels(layout.height * layout.width)
  const whole = tiled === layout.height * layout.width
  return layout.taps.map((tap, index) => ({
    offset: index * layout.planeBytes + layout.front - tap,
    mask: needsMasks(layout) && !(tap === 0 && whole) ? index * tiled : undefined,
  }))
}

/** Where the masks of a place begin; 0 where it needs none. */
export const masksOf = ({ places }: Plan, { layout }: Place): number =>
  places.masks.get(maskKey(layout))?.address ?? 0

/** @param zero the byte that stands for zero; @param past bytes from `target` and `masks` to the vector's place */
export const storePlanes = (
  planes: readonly TargetPlane[],
  zero: number,
  value: Code,
  target: Code,
  masks: Code,
  past: number,
): Code =>
  planes.map(({ offset, mask }) => {
    if (mask === undefined) return v128.store(target, value, offset + past)
    const ones = v128.load(masks, mask + past)
    const kept = zero === 0 ? v128.and(value, ones) : v128.choose(value, i8x16.splat(i32.const(zero)), ones)
    return v128.store(target, kept, offset + past)
  })
