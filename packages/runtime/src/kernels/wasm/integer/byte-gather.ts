/** Sums of scattered bytes, for fully connected ternary layers with hardly any weights: one input at a time. */
import {
  advance,
  type Code,
  get,
  i32,
  type Local,
  repeatWhile,
  set,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'

/** Additions in flight at once. */
const width = 4

/**
 * Call with (input, record, end of records, list, sums, step to the sums of −1). A record is [end of plus, end of minus],
 * a list entry the 16-bit distance from the first input; the exact sums are written as 32-bit numbers.
 */
export function emitByteGather(name: string): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [input, record, recordsEnd, entry, sums, minusStep] = parameters as Locals<6>
    const end = local('i32')
    const parts = Array.from({ length: width }, () => local('i32'))
    const add = (sum: Local, index: number): Code =>
      set(sum, i32.add(get(sum), i32.load8(i32.add(get(input), i32.load16(get(entry), 2 * index)))))
    const walk = (endField: number, target: Code): Code => [
      set(end, i32.load(get(record), endField)),
      parts.map(sum => set(sum, i32.const(0))),
      repeatWhile(i32.atMost(i32.add(get(entry), i32.const(2 * width)), get(end)), [
        parts.map(add),
        advance(entry, i32.const(2 * width)),
      ]),
      repeatWhile(i32.lessThan(get(entry), get(end)), [add(parts[0]!, 0), advance(entry, i32.const(2))]),
      i32.store(
        target,
        parts.map(get).reduce((a, b) => i32.add(a, b)),
      ),
    ]
    return repeatWhile(i32.lessThan(get(record), get(recordsEnd)), [
      walk(0, get(sums)),
      walk(4, i32.add(get(sums), get(minusStep))),
      advance(sums, i32.const(4)),
      advance(record, i32.const(8)),
    ])
  })
}
