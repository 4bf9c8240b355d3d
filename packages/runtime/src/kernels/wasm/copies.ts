import { advance, get, i32, repeatWhile, v128 } from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import type { Move } from '../../plan/moves.ts'
import type { PlaneCopy, WindowLayout } from '../../plan/numbers/window.ts'
import type { Binding } from './binding.ts'
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
  return () => {
    const run = copy()
    const fillTarget = fill?.()
    return () => {
      fillTarget?.()
      for (const { source, move } of moves) copyMove(run, move, source, target, size)
    }
  }
}

/**
 * The inner three axes in one call, a loop for each axis beyond them.
 * @param size bytes of an element
 */
function copyMove(
  copy: KernelFunction,
  move: MergedMove,
  source: number,
  target: number,
  size: number,
): void {
  const [plane, row, column] = move.inner
  const walk = (depth: number, from: number, to: number): void => {
    const axis = move.outer[depth]
    if (axis === undefined) {
      copy(
        to,
        from,
        plane.size,
        row.size,
        size * column.size,
        size * plane.target,
        size * row.target,
        size * plane.source,
        size * row.source,
        size * column.source,
      )
      return
    }
    for (let i = 0; i < axis.size; i++)
      walk(depth + 1, from + size * i * axis.source, to + size * i * axis.target)
  }
  walk(0, source + size * move.source, target + size * move.target)
}

export interface MergedMove {
  readonly source: number
  readonly target: number
  readonly outer: readonly Axis[]
  /** Plane, row, column; the column's target step is 1. */
  readonly inner: readonly [Axis, Axis, Axis]
}

/** Drops axes of size 1 and joins neighbours that both sides walk as one. */
export function mergeAxes({ shape, source, target }: Move): MergedMove {
  const axes: Axis[] = []
  for (const [i, size] of shape.entries()) {
    if (size === 1) continue
    const axis = { size, source: source.strides[i]!, target: target.strides[i]! }
    const last = axes.at(-1)
    if (last !== undefined && last.source === size * axis.source && last.target === size * axis.target) {
      axes[axes.length - 1] = { ...axis, size: last.size * size }
    } else {
      axes.push(axis)
    }
  }
  const single = { size: 1, source: 1, target: 1 }
  if (axes.at(-1)?.target !== 1) axes.push(single)
  while (axes.length < 3) axes.unshift(single)
  const inner = axes.slice(-3) as [Axis, Axis, Axis]
  return { source: source.start, target: target.start, outer: axes.slice(0, -3), inner }
}
