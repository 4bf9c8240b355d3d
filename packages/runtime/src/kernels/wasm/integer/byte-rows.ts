/**
 * What follows the sums of a fully connected layer on bytes, four outputs at a time:
 * y = P · plus + N · minus + bias, every operation rounded to float32, then the bounds, then bytes if those are asked for.
 */

import {
  advance,
  type Code,
  f32x4,
  get,
  i8x16,
  i16x8,
  i32,
  i32x4,
  repeatWhile,
  set,
  v128,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import type { ActivationRange } from '../../../file/types.ts'
import { byteRowRecord } from '../../../plan/integer/byte-rows.ts'
import type { Bounds } from '../../../plan/steps.ts'
import { clampVector } from '../epilogue.ts'
import { floatsToLevels } from './levels.ts'

export interface ByteRowsSpec {
  readonly bounds: Bounds | undefined
  /** Of the output's bytes; absent where the output is numbers. */
  readonly range?: ActivationRange
}

/**
 * Call with (output, end of outputs, sums, step to the sums of −1, records). A record is [what the input's zero adds to
 * P, the same of N, plus, minus, bias], each of four outputs. Whole vectors are written: up to three outputs too many.
 */
export function emitByteRows(name: string, { bounds, range }: ByteRowsSpec): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [output, end, sums, minusStep, record] = parameters as Locals<5>
    const [value, scratch] = [local('v128'), local('v128')]
    const field = (index: number): Code => f32x4.load(get(record), 16 * index)
    const product = (address: Code, sign: number): Code =>
      f32x4.mul(f32x4.fromIntegers(i32x4.sub(f32x4.load(address), field(sign))), field(2 + sign))
    const asBytes = (range: ActivationRange): Code => {
      const levels = floatsToLevels(get(value), undefined, range, scratch)
      const narrow = i16x8.narrow(get(value), get(value))
      return [set(value, levels), v128.storeWord(get(output), i8x16.narrow(narrow, narrow))]
    }
    return repeatWhile(i32.lessThan(get(output), get(end)), [
      set(
        value,
        f32x4.add(f32x4.add(product(get(sums), 0), product(i32.add(get(sums), get(minusStep)), 1)), field(4)),
      ),
      set(value, clampVector(get(value), bounds)),
      range === undefined ? f32x4.store(get(output), get(value)) : asBytes(range),
      advance(output, i32.const(range === undefined ? 16 : 4)),
      advance(sums, i32.const(16)),
      advance(record, i32.const(byteRowRecord)),
    ])
  })
}
