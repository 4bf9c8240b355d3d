import type { Move } from '../../plan/moves.ts'
import type { PlaneCopy, WindowLayout } from '../../plan/window.ts'
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

interface Axis {
  readonly size: number
  readonly source: number
  readonly target: number
}

/** Carries out a move: the inner three axes in one call, a loop for each axis beyond them. */
export function copyMove(copy: KernelFunction, move: MergedMove, source: number, target: number): void {
  const [plane, row, column] = move.inner
  const walk = (depth: number, from: number, to: number): void => {
    const axis = move.outer[depth]
    if (axis === undefined) {
      copy(
        to,
        from,
        plane.size,
        row.size,
        4 * column.size,
        4 * plane.target,
        4 * row.target,
        4 * plane.source,
        4 * row.source,
        4 * column.source,
      )
      return
    }
    for (let i = 0; i < axis.size; i++) walk(depth + 1, from + 4 * i * axis.source, to + 4 * i * axis.target)
  }
  walk(0, source + 4 * move.source, target + 4 * move.target)
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
