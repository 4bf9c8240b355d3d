/** The small kernels on bytes: conversions and pooling. Steps, ends and places are in bytes. */
import {
  advance,
  type Code,
  f32,
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
import { toLevels } from './levels.ts'
import { storePlanes, type TargetPlane } from './target-planes.ts'

export interface QuantizeSpec {
  readonly zero: number
  readonly max: number
  readonly planes: readonly TargetPlane[]
}

/** Call with (target, source, channels, pixels of a channel, target channel step, masks, 1 / scale). */
export function emitQuantize(name: string, { zero, max, planes }: QuantizeSpec): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32'], (parameters, local) => {
    const [target, source, channels, pixels, channelStep, masks, inverse] = parameters as Locals<7>
    const [to, end, mask] = [local('i32'), local('i32'), local('i32')]
    const [factor, bytes, scratch] = [local('v128'), local('v128'), local('v128')]
    const levels = (index: number): Code =>
      toLevels(f32x4.mul(f32x4.load(get(source), 16 * index), get(factor)), { zero, max }, scratch)
    const half = (index: number): Code => i16x8.narrow(levels(index), levels(index + 1))
    const pastEnd = i32.sub(get(to), get(end))
    return [
      set(factor, f32x4.splatOf(get(inverse))),
      repeatWhile(get(channels), [
        set(to, get(target)),
        set(mask, get(masks)),
        set(end, i32.add(get(to), get(pixels))),
        repeatWhile(i32.lessThan(get(to), get(end)), [
          set(bytes, i8x16.narrow(half(0), half(2))),
          storePlanes(planes, zero, get(bytes), get(to), get(mask), 0),
          [to, mask].map(pointer => advance(pointer, i32.const(16))),
          advance(source, i32.const(64)),
        ]),
        // The last vector took numbers of the next channel along.
        set(source, i32.sub(get(source), i32.mul(pastEnd, i32.const(4)))),
        advance(target, get(channelStep)),
        advance(channels, i32.const(-1)),
      ]),
    ]
  })
}

/** Call with (target, source, channels, pixels of a channel, source channel step, scale). */
export function emitDequantize(name: string, zero: number): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'f32'], (parameters, local) => {
    const [target, source, channels, pixels, channelStep, scale] = parameters as Locals<6>
    const [from, end] = [local('i32'), local('i32')]
    const [factor, four] = [local('v128'), local('v128')]
    const number = (byte: Code): Code => f32.mul(f32.fromInteger(i32.sub(byte, i32.const(zero))), get(scale))
    return [
      set(factor, f32x4.splatOf(get(scale))),
      repeatWhile(get(channels), [
        set(from, get(source)),
        set(end, i32.add(get(from), get(pixels))),
        repeatWhile(i32.atMost(i32.add(get(from), i32.const(4)), get(end)), [
          set(four, i32x4.fromShorts(i16x8.fromBytes(v128.loadWord(get(from))))),
          set(four, i32x4.sub(get(four), i32x4.splat(i32.const(zero)))),
          v128.store(get(target), f32x4.mul(f32x4.fromIntegers(get(four)), get(factor))),
          advance(target, i32.const(16)),
          advance(from, i32.const(4)),
        ]),
        repeatWhile(i32.lessThan(get(from), get(end)), [
          f32.store(get(target), number(i32.load8(get(from)))),
          advance(target, i32.const(4)),
          advance(from, i32.const(1)),
        ]),
        advance(source, get(channelStep)),
        advance(channels, i32.const(-1)),
      ]),
    ]
  })
}

/**
 * Call with (target, source, channels, pixels of a channel, source channel step, what the zeros of a channel sum up to,
 * scale / pixels).
 */
export function emitByteMean(name: string): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32'], (parameters, local) => {
    const [target, source, channels, pixels, channelStep, zeros, scale] = parameters as Locals<7>
    const [from, end, sum] = [local('i32'), local('i32'), local('i32')]
    const sums = local('v128')
    const lane = (index: number): Code => i32x4.lane(get(sums), index)
    return repeatWhile(get(channels), [
      set(from, get(source)),
      set(end, i32.add(get(from), get(pixels))),
      set(sums, v128.zero),
      repeatWhile(i32.atMost(i32.add(get(from), i32.const(16)), get(end)), [
        set(sums, i32x4.add(get(sums), i32x4.pairSums(i16x8.pairSums(v128.load(get(from)))))),
        advance(from, i32.const(16)),
      ]),
      set(sum, i32.sub(i32.add(i32.add(lane(0), lane(1)), i32.add(lane(2), lane(3))), get(zeros))),
      repeatWhile(i32.lessThan(get(from), get(end)), [
        set(sum, i32.add(get(sum), i32.load8(get(from)))),
        advance(from, i32.const(1)),
      ]),
      f32.store(get(target), f32.mul(f32.fromInteger(get(sum)), get(scale))),
      advance(target, i32.const(4)),
      advance(source, get(channelStep)),
      advance(channels, i32.const(-1)),
    ])
  })
}
