/**
 * Matrix times vector of a ternary matrix and bytes, by lookup. Four inputs have sixteen subset sums; they are written
 * out once as a table of sixteen bytes, and for each output two nibbles say which subset its +1 and its −1 pick, so
 * that one `i8x16.swizzle` adds four inputs of sixteen outputs. Inputs above 63 need a second table, of the sums'
 * high bytes.
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
  select,
  set,
  v128,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import {
  isWideLookup,
  lookupGroup,
  lookupOutputs,
  lookupTableBytes,
} from '../../../plan/integer/byte-rows.ts'

const repeatBytes = (pattern: readonly number[]): readonly number[] =>
  Array.from({ length: 16 }, (_, i) => pattern[i % pattern.length]!)
const lowBytes = v128.constant(repeatBytes([0xff, 0]))
const lowNibbles = v128.constant(repeatBytes([0x0f]))
const zero = v128.constant(repeatBytes([0]))

/** Call with (input, end of tables, tables): a table for every four inputs. */
export function emitLookupTables(name: string, { wide }: { readonly wide: boolean }): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], (parameters, local) => {
    const [input, tablesEnd, table] = parameters as Locals<3>
    const [sums, more] = [local('v128'), local('v128')]
    /** Input `index` in the lanes of the subsets that hold it. */
    const chosen = (index: number): Code =>
      v128.and(
        i8x16.loadSplat(get(input), index),
        v128.constant(Array.from({ length: 16 }, (_, subset) => ((subset >> index) & 1 ? 0xff : 0))),
      )
    const all = [0, 1, 2, 3].map(chosen).reduce((a, b) => i8x16.add(a, b))
    /** The subsets of the first three inputs in 16 bits each, then with the fourth added. */
    const [three, fourth] = [
      [0, 1, 2].map(index => i16x8.fromBytes(chosen(index))).reduce((a, b) => i16x8.add(a, b)),
      i16x8.fromBytes(i8x16.loadSplat(get(input), 3)),
    ]
    const high = (value: Code): Code => i16x8.shiftRightUnsigned(value, i32.const(8))
    const wideTables = [
      set(sums, three),
      set(more, i16x8.add(get(sums), fourth)),
      f32x4.store(get(table), i8x16.narrow(v128.and(get(sums), lowBytes), v128.and(get(more), lowBytes))),
      f32x4.store(get(table), i8x16.narrow(high(get(sums)), high(get(more))), 16),
    ]
    return repeatWhile(i32.lessThan(get(table), get(tablesEnd)), [
      wide ? wideTables : f32x4.store(get(table), all),
      advance(table, i32.const(wide ? 32 : 16)),
      advance(input, i32.const(lookupGroup)),
    ])
  })
}

/**
 * Call with (tables, end of tables, weights, end of weights, sums, step to the sums of −1); writes the exact sums of the
 * inputs under +1 and under −1 as 32-bit numbers.
 */
export function emitLookup(name: string, { max }: { readonly max: number }): WasmFunction {
  const wide = isWideLookup(max)
  const tableBytes = lookupTableBytes(max)
  // So many lookups overflow neither 16 bits of low bytes nor the 8 bits of the high ones.
  const turns = wide ? Math.floor(0xff / ((lookupGroup * max) >> 8)) : 0x100
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [tables, tablesEnd, weights, weightsEnd, sums, minusStep] = parameters as Locals<6>
    const [table, partEnd] = [local('i32'), local('i32')]
    const [codes, found] = [local('v128'), local('v128')]
    /** In a local: from version 13 on V8 makes constants anew in every turn of a loop. */
    const mask = local('v128')
    const signs = [0, 1].map(() => ({
      indices: local('v128'),
      /** 16-bit sums of both bytes of a pair, modulo 2^16, and of the odd byte alone. */
      all: local('v128'),
      odd: local('v128'),
      even: local('v128'),
      high: local('v128'),
      totals: [0, 1, 2, 3].map(() => local('v128')),
    }))
    const eachSign = (f: (sign: (typeof signs)[number]) => Code): Code => signs.map(f)

    const look = eachSign(({ indices, all, odd, high }) => [
      set(found, i8x16.lookUp(f32x4.load(get(table)), get(indices))),
      set(all, i16x8.add(get(all), get(found))),
      set(odd, i16x8.add(get(odd), i16x8.shiftRightUnsigned(get(found), i32.const(8)))),
      wide ? set(high, i8x16.add(get(high), i8x16.lookUp(f32x4.load(get(table), 16), get(indices)))) : [],
    ])
    /** Adds 16-bit sums of eight neighbouring outputs, with their high bytes, to their totals. */
    const drain = ({ high, totals }: (typeof signs)[number], low: Code, first: number): Code => {
      const highBytes =
        first === 0 ? v128.and(get(high), lowBytes) : i16x8.shiftRightUnsigned(get(high), i32.const(8))
      return [i32x4.fromShorts, i32x4.fromHighShorts].map((widen, half) => {
        const total = totals[first + half]!
        const sum = i32x4.add(get(total), widen(low))
        return set(total, wide ? i32x4.add(sum, i32x4.shiftLeft(widen(highBytes), i32.const(8))) : sum)
      })
    }
    return [
      set(mask, lowNibbles),
      repeatWhile(i32.lessThan(get(weights), get(weightsEnd)), [
        set(table, get(tables)),
        eachSign(({ totals }) => totals.map(total => set(total, zero))),
        repeatWhile(i32.lessThan(get(table), get(tablesEnd)), [
          set(partEnd, i32.add(get(table), i32.const(turns * tableBytes))),
          set(partEnd, select(get(partEnd), get(tablesEnd), i32.lessThan(get(partEnd), get(tablesEnd)))),
          eachSign(({ all, odd, high }) => [all, odd, high].map(sum => set(sum, zero))),
          repeatWhile(i32.lessThan(get(table), get(partEnd)), [
            set(codes, f32x4.load(get(weights))),
            set(signs[0]!.indices, v128.and(get(codes), get(mask))),
            set(signs[1]!.indices, v128.and(i16x8.shiftRightUnsigned(get(codes), i32.const(4)), get(mask))),
            look,
            advance(table, i32.const(tableBytes)),
            advance(weights, i32.const(lookupOutputs)),
          ]),
          eachSign(sign => [
            set(sign.even, i16x8.sub(get(sign.all), i16x8.shiftLeft(get(sign.odd), i32.const(8)))),
            drain(sign, get(sign.even), 0),
            drain(sign, get(sign.odd), 2),
          ]),
        ]),
        signs.map(({ totals }, sign) =>
          totals.map((total, index) =>
            f32x4.store(sign === 0 ? get(sums) : i32.add(get(sums), get(minusStep)), get(total), 16 * index),
          ),
        ),
        advance(sums, i32.const(4 * lookupOutputs)),
      ]),
    ]
  })
}
