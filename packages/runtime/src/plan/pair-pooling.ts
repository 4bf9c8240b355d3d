import type { PoolAttributes } from '../operators.ts'
import type { Shape } from './shape.ts'

/** Rows of outputs narrower than a vector of floats have no whole block, wider ones would make long functions. */
const [narrowest, widest] = [4, 128]

/** Whether windows of 2 × 2 lie side by side, none of them at a border, in rows that the kernels of such take. */
export const poolsPairs = (
  { kernel, strides, pads }: Pick<PoolAttributes, 'kernel' | 'strides' | 'pads'>,
  output: Shape,
): boolean =>
  [...kernel, ...strides].every(size => size === 2) &&
  pads.every(pad => pad === 0) &&
  output[3]! >= narrowest &&
  output[3]! <= widest

export const poolsPairsReason = 'windows of 2 × 2 side by side are read as they lie'
