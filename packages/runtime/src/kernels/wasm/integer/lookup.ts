/**
 * Matrix times vector of a ternary matrix and bytes, by lookup. Four inputs have sixteen subset sums; they are written
 * out once as a table of sixteen bytes, and for each output two nibbles say which subset its +1 and its −1 pick, so
 * that one `i8x16.swizzle` adds four inputs of sixteen outputs. Inputs above 63 need a second table, of the sums'
 * high bytes.
 */
import { advance, type Code, f32x4, get, i32, repeatWhile, select, set } from '../instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../module.ts'
import { bytes16, shorts8, vector, words4 } from './lookup-instructions.ts'

/** Inputs one table covers. */
export const lookupGroup = 4
/** Outputs of one vector of lookups. */
export const lookupOutputs = 16

/** Whether sums of four inputs up to `max` need more than a byte. */
export const isWideLookup = (max: number): boolean => lookupGroup * max > 0xff

export const lookupTableBytes = (max: number): number => (isWideLookup(max) ? 32 : 16)

const repeatBytes = (pattern: readonly number[]): readonly number[] =>
  Array.from({ length: 16 }, (_, i) => pattern[i % pattern.length]!)
const lowBytes = vector.constant(repeatBytes([0xff, 0]))
const lowNibbles = vector.constant(repeatBytes([0x0f]))
const zero = vector.constant(repeatBytes([0]))

/** Call with (input, end of tables, tables): a table for every four inputs. */
export function emitLookupTables(name: string, { wide }: { readonly wide: boolean }): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], (parameters, local) => {
    const [input, tablesEnd, table] = parameters as Locals<3>
    const [sums, more] = [local('v128'), local('v128')]
    /** Input `index` in the lanes of the subsets that hold it. */
    const chosen = (index: number): Code =>
      vector.and(
        bytes16.loadSplat(get(input), index),
        vector.constant(Array.from({ length: 16 }, (_, subset) => ((subset >> index) & 1 ? 0xff : 0))),
      )
    const all = [0, 1, 2, 3].map(chosen).reduce((a, b) => bytes16.add(a, b))
    /** The subsets of the first three inputs in 16 bits each, then with the fourth added. */
    const [three, fourth] = [
      [0, 1, 2].map(index => shorts8.widenLow(chosen(index))).reduce((a, b) => shorts8.add(a, b)),
      shorts8.widenLow(bytes16.loadSplat(get(input), 3)),
    ]
    const high = (value: Code): Code => shorts8.shiftRight(value, 8)
    const wideTables = [
      set(sums, three),
      set(more, shorts8.add(get(sums), fourth)),
      f32x4.store(
        get(table),
        bytes16.narrow(vector.and(get(sums), lowBytes), vector.and(get(more), lowBytes)),
      ),
      f32x4.store(get(table), bytes16.narrow(high(get(sums)), high(get(more))), 16),
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
      set(found, bytes16.lookUp(f32x4.load(get(table)), get(indices))),
      set(all, shorts8.add(get(all), get(found))),
      set(odd, shorts8.add(get(odd), shorts8.shiftRight(get(found), 8))),
      wide ? set(high, bytes16.add(get(high), bytes16.lookUp(f32x4.load(get(table), 16), get(indices)))) : [],
    ])
    /** Adds 16-bit sums of eight neighbouring outputs, with their high bytes, to their totals. */
    const drain = ({ high, totals }: (typeof signs)[number], low: Code, first: number): Code => {
      const highBytes = first === 0 ? vector.and(get(high), lowBytes) : shorts8.shiftRight(get(high), 8)
      return [words4.widenLow, words4.widenHigh].map((widen, half) => {
        const total = totals[first + half]!
        const sum = words4.add(get(total), widen(low))
        return set(total, wide ? words4.add(sum, words4.shiftLeft(widen(highBytes), 8)) : sum)
      })
    }
    return repeatWhile(i32.lessThan(get(weights), get(weightsEnd)), [
      set(table, get(tables)),
      eachSign(({ totals }) => totals.map(total => set(total, zero))),
      repeatWhile(i32.lessThan(get(table), get(tablesEnd)), [
        set(partEnd, i32.add(get(table), i32.const(turns * tableBytes))),
        set(partEnd, select(get(partEnd), get(tablesEnd), i32.lessThan(get(partEnd), get(tablesEnd)))),
        eachSign(({ all, odd, high }) => [all, odd, high].map(sum => set(sum, zero))),
        repeatWhile(i32.lessThan(get(table), get(partEnd)), [
          set(codes, f32x4.load(get(weights))),
          set(signs[0]!.indices, vector.and(get(codes), lowNibbles)),
          set(signs[1]!.indices, vector.and(shorts8.shiftRight(get(codes), 4), lowNibbles)),
          look,
          advance(table, i32.const(tableBytes)),
          advance(weights, i32.const(lookupOutputs)),
        ]),
        eachSign(sign => [
          set(sign.even, shorts8.sub(get(sign.all), shorts8.shiftLeft(get(sign.odd), 8))),
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
    ])
  })
}
