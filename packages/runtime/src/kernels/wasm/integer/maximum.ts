/** Max pooling of bytes. Steps, ends and places are in bytes. */
import {
  advance,
  type Code,
  get,
  i8x16,
  i16x8,
  i32,
  repeatWhile,
  set,
  v128,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { storePlanes, type TargetPlane } from './target-planes.ts'

export interface MaximumSpec {
  readonly planes: readonly TargetPlane[]
  /** The byte that stands for zero. */
  readonly zero: number
}

/**
 * The largest of several planes. Call with (target, source, channels, pixels of a channel, target channel step, source
 * channel step, masks).
 * @param spec `offsets`: where each plane begins, from the channel's beginning
 */
export function emitByteMaximum(
  name: string,
  { offsets, planes, zero }: MaximumSpec & { readonly offsets: readonly number[] },
): WasmFunction {
  return defineFunction(name, new Array(7).fill('i32'), (parameters, local) => {
    const [target, source, channels, pixels, targetStep, sourceStep, masks] = parameters as Locals<7>
    const [to, from, end, mask] = [local('i32'), local('i32'), local('i32'), local('i32')]
    const largest = local('v128')
    return repeatWhile(get(channels), [
      set(to, get(target)),
      set(from, get(source)),
      set(mask, get(masks)),
      set(end, i32.add(get(to), get(pixels))),
      repeatWhile(i32.lessThan(get(to), get(end)), [
        set(
          largest,
          offsets.map(offset => v128.load(get(from), offset)).reduce((a, b) => i8x16.larger(a, b)),
        ),
        storePlanes(planes, zero, get(largest), get(to), get(mask), 0),
        [to, from, mask].map(pointer => advance(pointer, i32.const(16))),
      ]),
      advance(target, get(targetStep)),
      advance(source, get(sourceStep)),
      advance(channels, i32.const(-1)),
    ])
  })
}

export interface PairMaximumSpec extends MaximumSpec {
  /** Of the output. */
  readonly columns: number
  /** From one row of the input to the next. */
  readonly rowStep: number
  /** From the target to its map. */
  readonly front: number
}

/**
 * The largest of each 2 × 2 neighbours. A row ends with a block that repeats some of the one before it; then the channel
 * is stored again in all its planes. Call with (target, source, channels, rows, pixels of a channel, target channel step,
 * source channel step, masks).
 */
export function emitPairMaximum(
  name: string,
  { columns, rowStep, front, planes, zero }: PairMaximumSpec,
): WasmFunction {
  const block = columns >= 16 ? 16 : columns >= 8 ? 8 : 4
  const starts = Array.from({ length: Math.ceil(columns / block) }, (_, i) =>
    Math.min(i * block, columns - block),
  )
  return defineFunction(name, new Array(8).fill('i32'), (parameters, local) => {
    const [target, source, channels, rows, pixels, targetStep, sourceStep, masks] = parameters as Locals<8>
    const [row, to, from, end, mask] = ['i32', 'i32', 'i32', 'i32', 'i32'].map(() =>
      local('i32'),
    ) as Locals<5>
    const bytes = local('v128')
    /** Of eight outputs, each in the lower byte of 16 bits. */
    const eight = (column: number): Code => [
      set(bytes, i8x16.larger(v128.load(get(from), column), v128.load(get(from), column + rowStep))),
      i8x16.larger(get(bytes), i16x8.shiftRightUnsigned(get(bytes), i32.const(8))),
    ]
    const storeBlock = (start: number): Code => {
      const low = eight(2 * start)
      if (block === 16) return v128.store(get(to), i8x16.evenLanes(low, eight(2 * start + 16)), start + front)
      const lanes = i8x16.evenLanes(low, v128.zero)
      return block === 8
        ? v128.storeHalf(get(to), lanes, start + front)
        : v128.storeWord(get(to), lanes, start + front)
    }
    const again: Code = [
      set(to, get(target)),
      set(mask, get(masks)),
      set(end, i32.add(get(to), get(pixels))),
      repeatWhile(i32.lessThan(get(to), get(end)), [
        set(bytes, v128.load(get(to), front)),
        storePlanes(planes, zero, get(bytes), get(to), get(mask), 0),
        [to, mask].map(pointer => advance(pointer, i32.const(16))),
      ]),
    ]
    return repeatWhile(get(channels), [
      set(to, get(target)),
      set(from, get(source)),
      set(row, get(rows)),
      repeatWhile(get(row), [
        starts.map(storeBlock),
        advance(to, i32.const(columns)),
        advance(from, i32.const(2 * rowStep)),
        advance(row, i32.const(-1)),
      ]),
      planes.length > 1 ? again : [],
      advance(target, get(targetStep)),
      advance(source, get(sourceStep)),
      advance(channels, i32.const(-1)),
    ])
  })
}
