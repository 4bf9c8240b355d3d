import { stridesOf } from '../../plan/shape.ts'
import { resolveAxes, resolveAxis } from '../../plan/shape-rules.ts'
import type { ReferenceKernel, View } from './kernel.ts'

/** Sums x over `axes` into the output, whose elements follow the kept axes in order, times `scale`. */
export function sumOver(axes: readonly number[], scale: number, x: View, output: View): void {
  const reduced = new Set(resolveAxes(axes, x.shape.length, 'reduce'))
  const strides = stridesOf(x.shape)
  const axesOf = (chosen: (axis: number) => boolean) => [...x.shape.keys()].filter(chosen)
  const kept = axesOf(axis => !reduced.has(axis))
  const summed = axesOf(axis => reduced.has(axis))
  const sumFrom = (depth: number, start: number): number => {
    const axis = summed[depth]
    if (axis === undefined) return x.data[start]!
    let sum = 0
    for (let i = 0; i < x.shape[axis]!; i++) sum += sumFrom(depth + 1, start + i * strides[axis]!)
    return sum
  }
  let position = 0
  const walk = (depth: number, start: number): void => {
    const axis = kept[depth]
    if (axis === undefined) output.data[position++] = sumFrom(0, start) * scale
    else for (let i = 0; i < x.shape[axis]!; i++) walk(depth + 1, start + i * strides[axis]!)
  }
  walk(0, 0)
}

export const reduceSum: ReferenceKernel<'ReduceSum'> = ({ axes }, [x], output) => sumOver(axes, 1, x!, output)

export const reduceMean: ReferenceKernel<'ReduceMean'> = ({ axes }, [x], output) =>
  sumOver(axes, output.data.length / x!.data.length, x!, output)

/** x [N, C, H, W] → [N, C, 1, 1] */
export const globalAveragePool: ReferenceKernel<'GlobalAveragePool'> = (_, [x], output) =>
  sumOver([2, 3], output.data.length / x!.data.length, x!, output)

/** exp(x) / Σ exp(x) along an axis, or its logarithm; the maximum is subtracted first so that nothing overflows. */
export function softmaxAlong(axis: number, logarithm: boolean, x: View, output: View): void {
  const along = resolveAxis(axis, x.shape.length, 'softmax')
  const size = x.shape[along]!
  const stride = stridesOf(x.shape)[along]!
  for (let outer = 0; outer < x.data.length; outer += size * stride) {
    for (let start = outer; start < outer + stride; start++) {
      const end = start + size * stride
      let maximum = -Infinity
      for (let i = start; i < end; i += stride) maximum = Math.max(maximum, x.data[i]!)
      let sum = 0
      for (let i = start; i < end; i += stride) sum += Math.exp(x.data[i]! - maximum)
      const logSum = Math.log(sum)
      for (let i = start; i < end; i += stride) {
        const shifted = x.data[i]! - maximum
        output.data[i] = logarithm ? shifted - logSum : Math.exp(shifted) / sum
      }
    }
  }
}
