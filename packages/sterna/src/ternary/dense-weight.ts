/** A ternary weight as the numbers it stands for. */
import { f32, type Tensor } from '../core/index.ts'
import type { TernaryWeight } from './types.ts'

/** assignment × magnitude as float32, of the weight's shape. */
export function denseWeight({ shape, assignment, positive, negative }: TernaryWeight): Tensor<'f32'> {
  const perMagnitude = assignment.length / positive.length
  const data = new Float32Array(assignment.length)
  for (let index = 0; index < data.length; index++) {
    const sign = assignment[index]!
    if (sign === 0) continue
    const group = Math.floor(index / perMagnitude)
    data[index] = sign > 0 ? positive[group]! : -negative[group]!
  }
  return f32(shape, data)
}
