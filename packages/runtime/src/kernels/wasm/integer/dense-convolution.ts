/**
 * The convolution of bytes with 8-bit weights, for the layers that are not ternary. For a tile of 16 neighbouring outputs
 * the inputs under two weights at a time are laid out as pairs of 16-bit numbers, once for all filters; `dot` then
 * multiplies and adds two weights of four outputs in one instruction. Two filters share what they load. Sums are exact
 * 32-bit integers.
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
  type Local,
  repeatWhile,
  set,
  v128,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import type { ActivationRange } from '../../../file/types.ts'
import type { Bounds } from '../../../plan/steps.ts'
import { floatsToLevels } from './levels.ts'
import { storePlanes, type TargetPlane } from './target-planes.ts'

export interface DenseByteSpec {
  /** Filters computed together. */
  readonly together: number
  readonly bounds: Bounds | undefined
  readonly range: ActivationRange
  readonly channelBytes: number
  readonly planes: readonly TargetPlane[]
}

/** Outputs of one tile, in four vectors of sums. */
const tile = 16

/**
 * Call with (input, output, masks, tiles, offsets, end of offsets, filters, end of filters, scratch).
 * Offsets are pairs of u32. Filters that are computed together are [start of the sums, factor, bias: 32 bits each] of every
 * one, then for every pair of offsets two weights of 16 bits of every one. The scratch takes 64 bytes a pair.
 */
export function emitDenseBytes(
  name: string,
  { together, bounds, range, channelBytes, planes }: DenseByteSpec,
): WasmFunction {
  return defineFunction(name, new Array(9).fill('i32'), (parameters, local) => {
    const [input, output, masks, tiles, offsets, offsetsEnd, filters, filtersEnd, scratch] =
      parameters as Locals<9>
    const [pointer, pairs, pairsEnd, target, filter] = ['i32', 'i32', 'i32', 'i32', 'i32'].map(() =>
      local('i32'),
    ) as Locals<5>
    const vectors = Array.from({ length: tile / 4 }, () => local('v128'))
    const [a, b] = vectors as [Local, Local]
    const [weights, factor, bias] = [local('v128'), local('v128'), local('v128')]
    const blocks = Array.from({ length: together }, () => vectors.map(() => local('v128')))
    const heads = 12 * together
    const loadInput = (field: number): Code => v128.load(i32.add(get(input), i32.load(get(pointer), field)))
    /** Interleaves the 16-bit halves of both inputs: a pair for each output. */
    const half = (extend: (value: Code) => Code, place: number): Code => [
      v128.store(get(pairs), i16x8.interleaveLow(extend(get(a)), extend(get(b))), place),
      v128.store(get(pairs), i16x8.interleaveHigh(extend(get(a)), extend(get(b))), place + 16),
    ]
    const layPairs: Code = [
      set(pointer, get(offsets)),
      set(pairs, get(scratch)),
      repeatWhile(i32.lessThan(get(pointer), get(offsetsEnd)), [
        set(a, loadInput(0)),
        set(b, loadInput(4)),
        half(i16x8.fromBytes, 0),
        half(i16x8.fromHighBytes, 32),
        advance(pointer, i32.const(8)),
        advance(pairs, i32.const(64)),
      ]),
      set(pairsEnd, get(pairs)),
    ]
    const level = (sum: Local): Code => {
      const number = f32x4.add(f32x4.mul(f32x4.fromIntegers(get(sum)), get(factor)), get(bias))
      return floatsToLevels(number, bounds, range, weights)
    }
    const finish = (sums: readonly Local[], index: number): Code => {
      const [first, second, third, fourth] = sums.map(level) as [Code, Code, Code, Code]
      return [
        set(factor, f32x4.loadSplat(get(filter), 12 * index + 4)),
        set(bias, f32x4.loadSplat(get(filter), 12 * index + 8)),
        set(a, i8x16.narrow(i16x8.narrow(first, second), i16x8.narrow(third, fourth))),
        storePlanes(planes, range.zero, get(a), get(target), get(masks), 0),
        advance(target, i32.const(channelBytes)),
      ]
    }
    return repeatWhile(get(tiles), [
      layPairs,
      set(target, get(output)),
      set(filter, get(filters)),
      repeatWhile(i32.lessThan(get(filter), get(filtersEnd)), [
        blocks.map((sums, index) => [
          set(weights, f32x4.loadSplat(get(filter), 12 * index)),
          sums.map(sum => set(sum, get(weights))),
        ]),
        set(pointer, i32.add(get(filter), i32.const(heads))),
        set(pairs, get(scratch)),
        repeatWhile(i32.lessThan(get(pairs), get(pairsEnd)), [
          vectors.map((vector, i) => set(vector, v128.load(get(pairs), 16 * i))),
          blocks.map((sums, index) => [
            set(weights, f32x4.loadSplat(get(pointer), 4 * index)),
            sums.map((sum, i) => set(sum, i32x4.add(get(sum), i32x4.dot(get(vectors[i]!), get(weights))))),
          ]),
          advance(pointer, i32.const(4 * together)),
          advance(pairs, i32.const(64)),
        ]),
        blocks.map(finish),
        set(filter, get(pointer)),
      ]),
      [input, output, masks].map(address => advance(address, i32.const(tile))),
      advance(tiles, i32.const(-1)),
    ])
  })
}
