import { advance, get, i32, repeatWhile, v128 } from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import type { Move } from '../../plan/moves.ts'
import type { PlaneCopy, WindowLayout } from '../../plan/numbers/window.ts'
import type { Shape } from '../../plan/shape.ts'
import { type Binding, bindCall, bindInOrder } from './binding.ts'
import type { KernelFunction } from './library.ts'

/** Fills a window's padded planes from the value at `source`. */
export function copyPlanes(
  copy: KernelFunction,
  scratch: NonNullable<WindowLayout['scratch']>,
  source: number,
  target: number,
): void {
  for (const plane of scratch.copies) copyPlane(copy, plane, scratch.planes, source, target)
}

function copyPlane(
  copy: KernelFunction,
  plane: PlaneCopy,
  planes: number,
  source: number,
  target: number,
): void {
  const { sourceSteps, targetSteps } = plane
  copy(
    target + 4 * plane.target,
    source + 4 * plane.source,
    planes,
    plane.rows,
    4 * plane.columns,
    4 * targetSteps[0],
    4 * targetSteps[1],
    4 * sourceSteps[0],
    4 * sourceSteps[1],
    4 * sourceSteps[2],
  )
}

/** Call with (output, end of output): the same sixteen bytes everywhere, before moves that do not cover it. */
export function emitFill(name: string, bytes: readonly number[]): WasmFunction {
  return defineFunction(name, ['i32', 'i32'], parameters => {
    const [output, end] = parameters as Locals<2>
    return repeatWhile(i32.lessThan(get(output), get(end)), [
      v128.store(get(output), v128.constant(bytes)),
      advance(output, i32.const(16)),
    ])
  })
}

interface Axis {
  readonly size: number
  readonly source: number
  readonly target: number
}

/** Axes that several values walk together, each by its own step. */
export interface SharedAxis {
  readonly size: number
  readonly steps: readonly number[]
}

/** Drops axes of size 1 and joins neighbours that all walk as one; at least three, the inner ones last. */
export function joinAxes(shape: Shape, strides: readonly (readonly number[])[]): SharedAxis[] {
  const axes: SharedAxis[] = []
  for (const [i, size] of shape.entries()) {
    if (size === 1) continue
    const axis = { size, steps: strides.map(steps => steps[i]!) }
    const last = axes.at(-1)
    if (last?.steps.every((step, value) => step === size * axis.steps[value]!)) {
      axes[axes.length - 1] = { ...axis, size: last.size * size }
    } else {
      axes.push(axis)
    }
  }
  const single = { size: 1, steps: strides.map(() => 1) }
  while (axes.length < 3) axes.unshift(single)
  return axes
}

/** Visits every place along axes beyond those a kernel walks, as steps of the first two values that share them. */
export function walkAxes(
  axes: readonly SharedAxis[],
  visit: (first: number, second: number) => void,
  depth = 0,
  first = 0,
  second = 0,
): void {
  const axis = axes[depth]
  if (axis === undefined) visit(first, second)
  else {
    for (let i = 0; i < axis.size; i++)
      walkAxes(axes, visit, depth + 1, first + i * axis.steps[0]!, second + i * axis.steps[1]!)
  }
}

/**
 * Carries out moves to `target`.
 * @param size bytes of an element
 * @param fill what goes before, where the moves do not cover the target
 */
export function bindMoves(
  copy: () => KernelFunction,
  moves: readonly { readonly source: number; readonly move: MergedMove }[],
  target: number,
  size: number,
  fill: Binding | undefined,
): Binding {
  const copies = moves.map(({ source, move }) =>
    bindMove(copy, move, source + size * move.source, target + size * move.target, size),
  )
  return bindInOrder(...(fill === undefined ? [] : [fill]), ...copies)
}

/** The inner three axes in one call, a loop for each axis beyond them, which few moves have. */
function bindMove(
  copy: () => KernelFunction,
  { outer, inner: [plane, row, column] }: MergedMove,
  source: number,
  target: number,
  size: number,
): Binding {
  const sizes = [plane.size, row.size, size * column.size]
  const steps = [plane.target, row.target, plane.source, row.source, column.source].map(step => size * step)
  if (outer.length === 0) return bindCall(copy, target, source, ...sizes, ...steps)
  return () => {
    const run = copy()
    return () =>
      walkAxes(outer, (from, to) => run(target + size * to, source + size * from, ...sizes, ...steps))
  }
}

export interface MergedMove {
  readonly source: number
  readonly target: number
  readonly outer: readonly SharedAxis[]
  /** Plane, row, column; the column's target step is 1. */
  readonly inner: readonly [Axis, Axis, Axis]
}

export function mergeAxes({ shape, source, target }: Move): MergedMove {
  const axes = joinAxes(shape, [source.strides, target.strides])
  if (axes.at(-1)!.steps[1] !== 1) axes.push({ size: 1, steps: [1, 1] })
  const inner = axes
    .slice(-3)
    .map(({ size, steps }): Axis => ({ size, source: steps[0]!, target: steps[1]! }))
  return {
    source: source.start,
    target: target.start,
    outer: axes.slice(0, -3),
    inner: inner as [Axis, Axis, Axis],
  }
}
