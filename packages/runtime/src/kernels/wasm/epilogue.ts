/** What follows a sum before it is stored: the residual, then the bounds. */

import { type Code, f32, f32x4, get, type Local, select, set } from '../../assembler/instructions.ts'
import type { Bounds } from '../../plan/steps.ts'

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

/** Where the vectors of a tile go. */
export interface TileOutput {
  /** Bytes from the tile's first output to where each vector begins. */
  readonly outputOffsets: readonly number[]
  /** Lanes to store. */
  readonly lanes: number
}

/** Adds the residual to vector `index` of a tile, clamps it and stores its lanes. */
export function storeSum(
  { residual, bounds, outputOffsets, lanes }: Epilogue & TileOutput,
  places: { readonly output: Local; readonly residual: Local; readonly sum: Local },
  index: number,
): Code {
  const { output, sum } = places
  const offset = outputOffsets[index]!
  const added = residual ? f32x4.add(get(sum), f32x4.load(get(places.residual), offset)) : get(sum)
  const value = clampVector(added, bounds)
  if (lanes === 4) return f32x4.store(get(output), value, offset)
  const stores = Array.from({ length: lanes }, (_, lane) =>
    f32x4.storeLane(get(output), get(sum), lane, offset + 4 * lane),
  )
  return [set(sum, value), stores]
}
