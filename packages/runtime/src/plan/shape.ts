export type Shape = readonly number[]

/** The number of elements; 1 for []. */
export const sizeOf = (shape: Shape): number => shape.reduce((size, dimension) => size * dimension, 1)

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dimension, axis) => dimension === b[axis])

/** How far apart neighbours along each axis lie in row-major order; [2, 3, 4] → [12, 4, 1]. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

/** Strides of an operand aligned at the right of `rank` axes; 0 where it stretches. */
export function broadcastStrides(shape: Shape, rank: number): number[] {
  const strides = stridesOf(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride))
  return [...new Array<number>(rank - shape.length).fill(0), ...strides]
}
