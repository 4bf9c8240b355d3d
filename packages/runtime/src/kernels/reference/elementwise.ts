import { broadcastStrides, sameShape } from '../../plan/shape.ts'
import type { View } from './kernel.ts'

/** f of every element. */
export function mapUnary(f: (x: number) => number, inputs: readonly View[], output: View): void {
  const { data } = inputs[0]!
  for (let i = 0; i < output.data.length; i++) output.data[i] = f(data[i]!)
}

/** f of every pair of elements; sizes of 1 stretch to the output's shape. */
export function mapBinary(f: (a: number, b: number) => number, inputs: readonly View[], output: View): void {
  const [a, b] = inputs as readonly [View, View]
  const { data, shape } = output
  if (sameShape(a.shape, shape) && sameShape(b.shape, shape)) {
    for (let i = 0; i < data.length; i++) data[i] = f(a.data[i]!, b.data[i]!)
    return
  }
  const aStrides = broadcastStrides(a.shape, shape.length)
  const bStrides = broadcastStrides(b.shape, shape.length)
  // Counts through the output like an odometer, carrying both input offsets along.
  const coordinates = new Array<number>(shape.length).fill(0)
  let aIndex = 0
  let bIndex = 0
  for (let i = 0; i < data.length; i++) {
    data[i] = f(a.data[aIndex]!, b.data[bIndex]!)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      aIndex += aStrides[axis]!
      bIndex += bStrides[axis]!
      coordinates[axis]!++
      if (coordinates[axis]! < shape[axis]!) break
      aIndex -= aStrides[axis]! * shape[axis]!
      bIndex -= bStrides[axis]! * shape[axis]!
      coordinates[axis] = 0
    }
  }
}
