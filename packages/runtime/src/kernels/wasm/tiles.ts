/**
 * The ternary convolution and pooling kernel: computes one tile of every output channel. The accumulators (at most
 * four vectors) stay in registers while the channel's list is walked; each entry is the distance in bytes from
 * the window's first input to the one to add, and all vectors of the tile are constant distances from there.
 */

import {
  advance,
  type Code,
  f32x4,
  get,
  i32,
  type Local,
  repeatWhile,
  set,
  when,
} from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import { type Epilogue, storeSum, type TileOutput } from './epilogue.ts'

/**
 * How a channel's record and list are read (addresses and offsets u32, numbers f32):
 * - equal: [end of plus, end of minus, w, bias]; y = w · (Σ plus − Σ minus) + bias
 * - two: [end of first, end of second, ratio, w, bias]; y = w · (ratio · Σ first + Σ second) + bias
 * - mean: as equal, without minus; max: [end], y = largest input
 */
export type TileMode = 'equal' | 'two' | 'max'

type Combine = (a: Code, b: Code) => Code

export interface TileSpec extends Epilogue, TileOutput {
  readonly mode: TileMode
  /** Bytes from the window's first input to where each accumulator's vector begins. */
  readonly inputOffsets: readonly number[]
}

/** Call with (input, output, residual, first record, end of records, list, bytes of an output plane). */
export function emitTile(name: string, spec: TileSpec): WasmFunction {
  const { mode, inputOffsets } = spec
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [input, output, residual, record, recordsEnd, entry, plane] = parameters as Locals<7>
    const end = local('i32')
    const address = local('i32')
    const second = local('i32')
    const weight = local('v128')
    const sums = inputOffsets.map(() => local('v128'))
    const eachSum = (f: (sum: Local, index: number) => Code): Code => sums.map(f)

    /**
     * Two entries a turn: with `join` their inputs are added to each other first, so that each accumulator waits for one
     * addition of two. Without, each is taken by itself, so that a NaN hides no number.
     */
    const walk = (endField: number, combine: Combine, join?: Combine): Code => {
      const inputAt = (pointer: Local, index: number): Code => f32x4.load(get(pointer), inputOffsets[index])
      const point = (pointer: Local, place: number): Code =>
        set(pointer, i32.add(get(input), i32.load(get(entry), place)))
      const both = (sum: Code, a: Code, b: Code): Code =>
        join === undefined ? combine(combine(sum, a), b) : combine(sum, join(a, b))
      return [
        set(end, i32.load(get(record), endField)),
        repeatWhile(i32.lessThan(i32.add(get(entry), i32.const(4)), get(end)), [
          point(address, 0),
          point(second, 4),
          eachSum((sum, i) => set(sum, both(get(sum), inputAt(address, i), inputAt(second, i)))),
          advance(entry, i32.const(8)),
        ]),
        when(i32.lessThan(get(entry), get(end)), [
          point(address, 0),
          eachSum((sum, i) => set(sum, combine(get(sum), inputAt(address, i)))),
          advance(entry, i32.const(4)),
        ]),
      ]
    }
    const start = (value: Code): Code => [set(weight, value), eachSum(sum => set(sum, get(weight)))]
    const scale = (field: number): Code => [
      set(weight, f32x4.loadSplat(get(record), field)),
      eachSum(sum => set(sum, f32x4.mul(get(sum), get(weight)))),
    ]
    const addBias = (field: number): Code => [
      set(weight, f32x4.loadSplat(get(record), field)),
      eachSum(sum => set(sum, f32x4.add(get(sum), get(weight)))),
    ]
    const modes: Record<TileMode, { readonly recordBytes: number; readonly body: Code }> = {
      equal: {
        recordBytes: 16,
        body: [
          start(f32x4.splat(0)),
          walk(0, f32x4.add, f32x4.add),
          walk(4, f32x4.sub, f32x4.add),
          scale(8),
          addBias(12),
        ],
      },
      two: {
        recordBytes: 20,
        body: [
          start(f32x4.splat(0)),
          walk(0, f32x4.add, f32x4.add),
          scale(8),
          walk(4, f32x4.add, f32x4.add),
          scale(12),
          addBias(16),
        ],
      },
      max: { recordBytes: 4, body: [start(f32x4.splat(-Infinity)), walk(0, f32x4.larger)] },
    }

    return repeatWhile(i32.lessThan(get(record), get(recordsEnd)), [
      modes[mode].body,
      eachSum((sum, index) => storeSum(spec, { output, residual, sum }, index)),
      advance(output, get(plane)),
      spec.residual ? advance(residual, get(plane)) : [],
      advance(record, i32.const(modes[mode].recordBytes)),
    ])
  })
}
