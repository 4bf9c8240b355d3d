/** The fully connected ternary kernel: every output adds and subtracts scattered inputs, one number at a time. */

import {
  advance,
  type Code,
  f32,
  get,
  i32,
  type Local,
  repeatWhile,
  set,
} from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import type { Magnitudes } from '../../plan/kernel.ts'
import { clampScalar, type Epilogue } from './epilogue.ts'

export interface GatherSpec extends Epilogue {
  readonly magnitudes: Magnitudes
}

/** Additions in flight at once; a lone sum would wait for each one to finish. */
const width = 4

/** Call with (input, output, residual, first record, end of records, list); records as in tiles. */
export function emitGather(name: string, spec: GatherSpec): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [input, output, residual, record, recordsEnd, entry] = parameters as Locals<6>
    const end = local('i32')
    const sums = Array.from({ length: width }, () => local('f32'))
    const first = local('f32')
    const result = local('f32')

    const add = (sum: Local, index: number): Code =>
      set(sum, f32.add(get(sum), f32.load(i32.add(get(input), i32.load(get(entry), 4 * index)))))
    /** Leaves the sum of a list's inputs in a local. */
    const walk = (endField: number, total: Local): Code => [
      set(end, i32.load(get(record), endField)),
      sums.map(sum => set(sum, f32.const(0))),
      repeatWhile(i32.atMost(i32.add(get(entry), i32.const(4 * width)), get(end)), [
        sums.map(add),
        advance(entry, i32.const(4 * width)),
      ]),
      repeatWhile(i32.lessThan(get(entry), get(end)), [add(sums[0]!, 0), advance(entry, i32.const(4))]),
      set(
        total,
        sums.map(get).reduce((a, b) => f32.add(a, b)),
      ),
    ]

    const two = spec.magnitudes === 'two'
    const number = (field: number): Code => f32.load(get(record), field)
    const combined = two
      ? f32.add(f32.mul(get(first), number(8)), get(result))
      : f32.sub(get(first), get(result))
    const [scale, bias] = two ? [12, 16] : [8, 12]
    return repeatWhile(i32.lessThan(get(record), get(recordsEnd)), [
      walk(0, first),
      walk(4, result),
      set(result, f32.add(f32.mul(combined, number(scale)), number(bias))),
      spec.residual ? set(result, f32.add(get(result), f32.load(get(residual)))) : [],
      clampScalar(result, spec.bounds),
      f32.store(get(output), get(result)),
      advance(output, i32.const(4)),
      spec.residual ? advance(residual, i32.const(4)) : [],
      advance(record, i32.const(two ? 20 : 16)),
    ])
  })
}
