/** Sums, and the largest, along an axis. Sums are those of doubles. */
import { f64, f64x2 } from '../../../assembler/doubles.ts'
import {
  advance,
  type Code,
  f32,
  f32x4,
  get,
  i32,
  type Local,
  repeatWhile,
  set,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type ValueType, type WasmFunction } from '../../../assembler/module.ts'
import { logarithm } from './logarithm.ts'
import { storeRest } from './store-rest.ts'

export interface FoldSpec {
  readonly fold: 'max' | 'sum' | 'logarithm of sum'
  /** What sums are multiplied by. */
  readonly scale: number
}

/**
 * Down the columns of [outer, size, inner], four side by side. Call with (output, input, outer, size, bytes of inner).
 */
export function emitColumnFold(name: string, spec: FoldSpec): WasmFunction {
  return defineFunction(name, new Array(5).fill('i32'), (parameters, local) => {
    const [output, input, outer, size, rowBytes] = parameters as Locals<5>
    const [end, column, at, left] = [local('i32'), local('i32'), local('i32'), local('i32')]
    const result = local('v128')
    const folding = foldingOf(spec, local)
    return repeatWhile(get(outer), [
      set(end, i32.add(get(output), get(rowBytes))),
      set(column, get(input)),
      repeatWhile(i32.lessThan(get(output), get(end)), [
        set(at, get(column)),
        set(left, get(size)),
        folding.start,
        repeatWhile(get(left), [folding.take(at), advance(at, get(rowBytes)), advance(left, i32.const(-1))]),
        set(result, folding.finish),
        storeRest(output, end, result),
        advance(output, i32.const(16)),
        advance(column, i32.const(16)),
      ]),
      set(output, get(end)),
      advance(input, i32.mul(get(size), get(rowBytes))),
      advance(outer, i32.const(-1)),
    ])
  })
}

/** Along the rows of [outer, size]. Call with (output, input, outer, bytes of a row). */
export function emitRowFold(name: string, spec: FoldSpec): WasmFunction {
  return defineFunction(name, new Array(4).fill('i32'), (parameters, local) => {
    const [output, input, outer, rowBytes] = parameters as Locals<4>
    const end = local('i32')
    const folding = foldingOf(spec, local)
    return repeatWhile(get(outer), [
      set(end, i32.add(get(input), get(rowBytes))),
      folding.start,
      repeatWhile(i32.atMost(i32.add(get(input), i32.const(16)), get(end)), [
        folding.take(input),
        advance(input, i32.const(16)),
      ]),
      folding.join,
      repeatWhile(i32.lessThan(get(input), get(end)), [folding.takeOne(input), advance(input, i32.const(4))]),
      f32x4.storeLane(get(output), folding.finishOne, 0),
      advance(output, i32.const(4)),
      advance(outer, i32.const(-1)),
    ])
  })
}

interface Folding {
  readonly start: Code
  /** Four numbers, each into its own result. */
  take(address: Local): Code
  /** The four results. */
  readonly finish: Code
  /** The four results into one, */
  readonly join: Code
  /** one number into that, */
  takeOne(address: Local): Code
  /** and that as the first of four. */
  readonly finishOne: Code
}

function foldingOf(spec: FoldSpec, local: (type: ValueType) => Local): Folding {
  return spec.fold === 'max' ? largest(local) : sum(spec, local)
}

/** A NaN may be passed over: the sums that follow have it. */
function largest(local: (type: ValueType) => Local): Folding {
  const best = local('v128')
  const one = local('f32')
  const lane = (index: number): Code => f32x4.lane(get(best), index)
  return {
    start: set(best, f32x4.splat(-Infinity)),
    take: address => set(best, f32x4.larger(get(best), f32x4.load(get(address)))),
    finish: get(best),
    join: set(one, f32.maximum(f32.maximum(lane(0), lane(1)), f32.maximum(lane(2), lane(3)))),
    takeOne: address => set(one, f32.maximum(get(one), f32.load(get(address)))),
    finishOne: f32x4.splatOf(get(one)),
  }
}

function sum({ fold, scale }: FoldSpec, local: (type: ValueType) => Local): Folding {
  const sums = [local('v128'), local('v128')] as const
  const one = local('f64')
  const pair = f64x2.add(get(sums[0]), get(sums[1]))
  const finish = [
    fold === 'sum' ? [] : logarithm(sums, local),
    f64x2.toFloats(f64x2.mul(get(sums[0]), f64x2.splat(scale)), f64x2.mul(get(sums[1]), f64x2.splat(scale))),
  ]
  return {
    start: sums.map(half => set(half, f64x2.splat(0))),
    take: address =>
      sums.map((half, i) => set(half, f64x2.add(get(half), f64x2.loadFloats(get(address), 8 * i)))),
    finish,
    join: set(one, f64.add(f64x2.lane(pair, 0), f64x2.lane(pair, 1))),
    takeOne: address => set(one, f64.add(get(one), f64.promote(f32.load(get(address))))),
    finishOne: [sums.map(half => set(half, f64x2.splatOf(get(one)))), finish],
  }
}
