/** Shape arithmetic shared by the operator table. */
import { type Shape, SternaError, sameShape } from '../../core/index.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../types.ts'

export function fail(where: string, message: string): never {
  throw new SternaError('graph/shape', `${where}: ${message}`)
}

export function expectRank(shape: Shape | undefined, rank: number, where: string, what: string): Shape {
  if (shape === undefined || shape.length !== rank) {
    fail(where, `${what} must have ${rank} dimensions, found [${shape ?? []}]`)
  }
  return shape
}

/** Numpy broadcasting of two shapes. */
export function broadcast(a: Shape, b: Shape, where: string): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1
    const right = b[axis - rank + b.length] ?? 1
    if (left !== right && left !== 1 && right !== 1) fail(where, `shapes [${a}] and [${b}] do not broadcast`)
    return left === 1 ? right : left
  })
}

/** The adjoint of broadcasting: sums `gradient` down to `shape`. */
export function sumTo(b: GraphBuilder, gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient
  const extra = gradient.shape.length - shape.length
  const axes = gradient.shape.flatMap((size, axis) =>
    axis < extra || (shape[axis - extra] === 1 && size !== 1) ? [axis] : [],
  )
  const summed = axes.length === 0 ? gradient : b.sum(gradient, axes)
  return sameShape(summed.shape, shape) ? summed : b.reshape(summed, shape)
}

/** Axes as 0..rank−1, sorted, each once. */
export function normalizeAxes(axes: readonly number[], rank: number, where: string): readonly number[] {
  const normal = axes.map(axis => normalizeAxis(axis, rank, where))
  if (new Set(normal).size !== normal.length) fail(where, `axes [${axes}] name one axis twice`)
  return normal.sort((a, b) => a - b)
}

export function normalizeAxis(axis: number, rank: number, where: string): number {
  const normal = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank)
    fail(where, `axis ${axis} is outside rank ${rank}`)
  return normal
}

/** Kernel, strides and dilations must be whole numbers ≥ 1, pads whole numbers ≥ 0. */
export function expectWindow(
  steps: Readonly<Record<string, readonly number[]>>,
  pads: readonly number[],
  where: string,
): void {
  const expect = (name: string, values: readonly number[], least: number) => {
    if (!values.every(value => Number.isInteger(value) && value >= least)) {
      fail(where, `${name} must be whole numbers ≥ ${least}, found [${values}]`)
    }
  }
  for (const [name, values] of Object.entries(steps)) expect(name, values, 1)
  expect('pads', pads, 0)
}

/** The output size of a sliding window along one axis. */
export function windowOutput(
  input: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
  where: string,
): number {
  const extent = dilation * (kernel - 1) + 1
  const size = Math.floor((input + padding - extent) / stride) + 1
  if (size < 1) fail(where, `a window of ${extent} does not fit an input of ${input} padded by ${padding}`)
  return size
}
