/** What follows a sum before it is stored: the residual, then the bounds. */
import type { Bounds } from '../../plan/steps.ts'
import { type Code, f32, f32x4, get, type Local, select, set } from './instructions.ts'

export interface Epilogue {
  readonly residual: boolean
  readonly bounds: Bounds | undefined
}

/** A NaN stays a NaN, as in the reference kernels. */
export function clampVector(value: Code, bounds: Bounds | undefined): Code {
  let code = value
  if (bounds !== undefined && bounds.min > -Infinity) code = f32x4.larger(code, f32x4.splat(bounds.min))
  if (bounds !== undefined && bounds.max < Infinity) code = f32x4.smaller(code, f32x4.splat(bounds.max))
  return code
}

/** Clamps the number a local holds. */
export function clampScalar(local: Local, bounds: Bounds | undefined): Code {
  const code: Code[] = []
  if (bounds !== undefined && bounds.min > -Infinity) {
    const low = f32.const(bounds.min)
    code.push(set(local, select(low, get(local), f32.lessThan(get(local), low))))
  }
  if (bounds !== undefined && bounds.max < Infinity) {
    const high = f32.const(bounds.max)
    code.push(set(local, select(high, get(local), f32.lessThan(high, get(local)))))
  }
  return code
}
