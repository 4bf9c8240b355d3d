import type { Movement } from '../../plan/moves.ts'
import type { View } from './kernel.ts'

/** Carries out the copies one element at a time. */
export function move({ fill, moves }: Movement, inputs: readonly View[], output: View): void {
  if (fill !== undefined) output.data.fill(fill)
  for (const { input, shape, source, target } of moves) {
    const { data } = inputs[input]!
    const copyAxis = (axis: number, from: number, to: number): void => {
      if (axis === shape.length) {
        output.data[to] = data[from]!
        return
      }
      for (let i = 0; i < shape[axis]!; i++) {
        copyAxis(axis + 1, from + i * source.strides[axis]!, to + i * target.strides[axis]!)
      }
    }
    copyAxis(0, source.start, target.start)
  }
}
