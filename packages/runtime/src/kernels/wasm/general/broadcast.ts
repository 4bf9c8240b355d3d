/** Functions of two numbers, where sizes of 1 stretch. */
import {
  advance,
  type Code,
  f32x4,
  get,
  i32,
  type Local,
  repeatWhile,
  set,
  v128,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type ValueType, type WasmFunction } from '../../../assembler/module.ts'
import { exponential, leastExponent } from './exponential.ts'
import { storeRest } from './store-rest.ts'

export interface BroadcastSpec {
  /** `Exp` is e^(a − b), where b is no less than a. */
  readonly op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Exp'
  /** Which operand has one number for a whole row. */
  readonly stretched: 'a' | 'b' | undefined
}

/**
 * Call with (output, planes, rows, row bytes, a, its plane step, its row step, b, its plane step, its row step). The
 * output has no gaps.
 */
export function emitBroadcast(name: string, { op, stretched }: BroadcastSpec): WasmFunction {
  return defineFunction(name, new Array(10).fill('i32'), (parameters, local) => {
    const [output, planes, rows, rowBytes, a, aPlane, aRow, b, bPlane, bRow] = parameters as Locals<10>
    const operands = [
      { start: a, planeStep: aPlane, rowStep: aRow, isOne: stretched === 'a' },
      { start: b, planeStep: bPlane, rowStep: bRow, isOne: stretched === 'b' },
    ].map(operand => ({ ...operand, row: local('i32'), at: local('i32'), value: local('v128') }))
    const [row, end] = [local('i32'), local('i32')]
    const result = local('v128')
    const combine = op === 'Exp' ? exponentialOfDifference(local) : combineWith(arithmetic[op])
    return repeatWhile(get(planes), [
      set(row, get(rows)),
      operands.map(operand => set(operand.row, get(operand.start))),
      repeatWhile(get(row), [
        set(end, i32.add(get(output), get(rowBytes))),
        operands.map(operand =>
          operand.isOne
            ? set(operand.value, f32x4.loadSplat(get(operand.row)))
            : set(operand.at, get(operand.row)),
        ),
        repeatWhile(i32.lessThan(get(output), get(end)), [
          operands.map(({ isOne, value, at }) =>
            isOne ? [] : [set(value, f32x4.load(get(at))), advance(at, i32.const(16))],
          ),
          combine(operands[0]!.value, operands[1]!.value, result),
          storeRest(output, end, result),
          advance(output, i32.const(16)),
        ]),
        set(output, get(end)),
        operands.map(operand => advance(operand.row, get(operand.rowStep))),
        advance(row, i32.const(-1)),
      ]),
      operands.map(({ start, planeStep }) => advance(start, get(planeStep))),
      advance(planes, i32.const(-1)),
    ])
  })
}

type Combine = (a: Local, b: Local, result: Local) => Code

const arithmetic = { Add: f32x4.add, Sub: f32x4.sub, Mul: f32x4.mul, Div: f32x4.div } as const

const combineWith =
  (compute: (a: Code, b: Code) => Code): Combine =>
  (a, b, result) =>
    set(result, compute(get(a), get(b)))

/** What rounding takes from a − b comes back as a small part of the exponent: large ones keep their last digits. */
function exponentialOfDifference(local: (type: ValueType) => Local): Combine {
  const power = exponential(local)
  const taken = local('v128')
  return (a, b, difference) => [
    set(difference, f32x4.sub(get(a), get(b))),
    set(taken, f32x4.sub(get(difference), get(a))),
    set(
      taken,
      f32x4.sub(f32x4.sub(get(a), f32x4.sub(get(difference), get(taken))), f32x4.add(get(b), get(taken))),
    ),
    // Of an infinite difference it is a NaN.
    set(taken, v128.and(get(taken), f32x4.lessThan(f32x4.splat(leastExponent), get(difference)))),
    power.split(get(difference), leastExponent, get(taken)),
    set(difference, power.value),
  ]
}
