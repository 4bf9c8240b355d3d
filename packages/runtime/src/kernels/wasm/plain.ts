/** The small kernels: copies, elementwise operators, sums of rows. Ends and steps are in bytes. */

import {
  advance,
  type Code,
  f32,
  f32x4,
  get,
  i32,
  repeatWhile,
  set,
  when,
} from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import type { Bounds } from '../../plan/steps.ts'
import { clampVector } from './epilogue.ts'

/**
 * Call with (target, source, planes, rows, row bytes, target plane step, target row step, source plane step,
 * source row step, source column step); columns of the target are neighbours.
 */
export function emitCopy(name: string): WasmFunction {
  return defineFunction(name, new Array(10).fill('i32'), (parameters, local) => {
    const [target, source, planes, rows, rowBytes, targetPlane, targetRow, sourcePlane, sourceRow, column] =
      parameters as Locals<10>
    const row = local('i32')
    const [rowTarget, rowSource] = [local('i32'), local('i32')]
    const [to, from, end] = [local('i32'), local('i32'), local('i32')]
    const vectorsWhile = repeatWhile.bind(null, i32.atMost(i32.add(get(to), i32.const(16)), get(end)))
    const copyRow = [
      set(to, get(rowTarget)),
      set(from, get(rowSource)),
      set(end, i32.add(get(to), get(rowBytes))),
      when(
        i32.eq(get(column), i32.const(4)),
        vectorsWhile([
          f32x4.store(get(to), f32x4.load(get(from))),
          advance(to, i32.const(16)),
          advance(from, i32.const(16)),
        ]),
      ),
      when(
        i32.eq(get(column), i32.const(8)),
        vectorsWhile([
          f32x4.store(get(to), f32x4.evenLanes(f32x4.load(get(from)), f32x4.load(get(from), 16))),
          advance(to, i32.const(16)),
          advance(from, i32.const(32)),
        ]),
      ),
      repeatWhile(i32.lessThan(get(to), get(end)), [
        f32.store(get(to), f32.load(get(from))),
        advance(to, i32.const(4)),
        advance(from, get(column)),
      ]),
    ]
    return repeatWhile(get(planes), [
      set(row, get(rows)),
      set(rowTarget, get(target)),
      set(rowSource, get(source)),
      repeatWhile(get(row), [
        copyRow,
        advance(rowTarget, get(targetRow)),
        advance(rowSource, get(sourceRow)),
        advance(row, i32.const(-1)),
      ]),
      advance(target, get(targetPlane)),
      advance(source, get(sourcePlane)),
      advance(planes, i32.const(-1)),
    ])
  })
}

/**
 * Call with (first plane, end of all planes, plane bytes, row bytes, first sum, bytes of a plane of sums, whole vectors):
 * for each plane one of its horizontal sums, then one of its vertical ones. Those at the right and lower edge mean
 * nothing.
 */
export function emitNeighbourSums(name: string): WasmFunction {
  return defineFunction(name, new Array(6).fill('i32'), (parameters, local) => {
    const [plane, end, planeBytes, rowBytes, sum, sumBytes] = parameters as Locals<6>
    const [from, sumsEnd] = [local('i32'), local('i32')]
    const inputs = local('v128')
    const right = f32x4.load(get(from), 4)
    const below = f32x4.load(i32.add(get(from), get(rowBytes)))
    return repeatWhile(i32.lessThan(get(plane), get(end)), [
      set(from, get(plane)),
      set(sumsEnd, i32.add(get(sum), get(sumBytes))),
      repeatWhile(i32.lessThan(get(sum), get(sumsEnd)), [
        set(inputs, f32x4.load(get(from))),
        f32x4.store(get(sum), f32x4.add(get(inputs), right)),
        f32x4.store(i32.add(get(sum), get(sumBytes)), f32x4.add(get(inputs), below)),
        advance(from, i32.const(16)),
        advance(sum, i32.const(16)),
      ]),
      advance(sum, get(sumBytes)),
      advance(plane, get(planeBytes)),
    ])
  })
}

export interface PairMaximumSpec {
  /** Of the output; at least 4. */
  readonly columns: number
  /** Bytes from one row of the input to the next. */
  readonly rowBytes: number
  /** Of the input; an odd one is not looked at. */
  readonly height: number
}

/**
 * The largest of each 2 × 2 neighbours. Call with (output, end of output, input). Each row ends with a block that repeats
 * some of the one before it. A NaN never is the largest, as in the reference kernel.
 */
export function emitPairMaximum(name: string, { columns, rowBytes, height }: PairMaximumSpec): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], (parameters, local) => {
    const [output, end, input] = parameters as Locals<3>
    const rows = local('i32')
    const [low, high] = [local('v128'), local('v128')]
    const larger = (offset: number): Code =>
      f32x4.larger(
        f32x4.larger(f32x4.splat(-Infinity), f32x4.load(get(input), offset)),
        f32x4.load(get(input), offset + rowBytes),
      )
    const block = (start: number): Code => [
      set(low, larger(8 * start)),
      set(high, larger(8 * start + 16)),
      f32x4.store(
        get(output),
        f32x4.larger(f32x4.evenLanes(get(low), get(high)), f32x4.oddLanes(get(low), get(high))),
        4 * start,
      ),
    ]
    return repeatWhile(i32.lessThan(get(output), get(end)), [
      set(rows, i32.const(height >> 1)),
      repeatWhile(get(rows), [
        Array.from({ length: Math.ceil(columns / 4) }, (_, i) => block(Math.min(4 * i, columns - 4))),
        advance(output, i32.const(4 * columns)),
        advance(input, i32.const(2 * rowBytes)),
        advance(rows, i32.const(-1)),
      ]),
      advance(input, i32.const((height % 2) * rowBytes)),
    ])
  })
}

/** Call with (output, end of output, input). */
export function emitClip(name: string, bounds: Bounds): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], parameters => {
    const [output, end, input] = parameters as Locals<3>
    return repeatWhile(i32.lessThan(get(output), get(end)), [
      f32x4.store(get(output), clampVector(f32x4.load(get(input)), bounds)),
      advance(output, i32.const(16)),
      advance(input, i32.const(16)),
    ])
  })
}

/** Call with (output, end of output, a, b). */
export function emitCombine(name: string, op: 'Add' | 'Sub' | 'Mul'): WasmFunction {
  const combine = { Add: f32x4.add, Sub: f32x4.sub, Mul: f32x4.mul }[op]
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32'], parameters => {
    const [output, end, a, b] = parameters as Locals<4>
    return repeatWhile(i32.lessThan(get(output), get(end)), [
      f32x4.store(get(output), combine(f32x4.load(get(a)), f32x4.load(get(b)))),
      [output, a, b].map(pointer => advance(pointer, i32.const(16))),
    ])
  })
}

/** Call with (output, end of output, input, row bytes, scale): the sum of each row times the scale. */
export function emitRowSums(name: string): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'f32'], (parameters, local) => {
    const [output, outputEnd, input, rowBytes, scale] = parameters as Locals<5>
    const end = local('i32')
    const sums = local('v128')
    const sum = local('f32')
    const lane = f32x4.lane.bind(null, get(sums))
    return repeatWhile(i32.lessThan(get(output), get(outputEnd)), [
      set(end, i32.add(get(input), get(rowBytes))),
      set(sums, f32x4.splat(0)),
      repeatWhile(i32.atMost(i32.add(get(input), i32.const(16)), get(end)), [
        set(sums, f32x4.add(get(sums), f32x4.load(get(input)))),
        advance(input, i32.const(16)),
      ]),
      set(sum, f32.add(f32.add(lane(0), lane(1)), f32.add(lane(2), lane(3)))),
      repeatWhile(i32.lessThan(get(input), get(end)), [
        set(sum, f32.add(get(sum), f32.load(get(input)))),
        advance(input, i32.const(4)),
      ]),
      f32.store(get(output), f32.mul(get(sum), get(scale))),
      advance(output, i32.const(4)),
    ])
  })
}
