/**
 * The ternary convolution on bytes. A filter is a record and two lists of offsets; each list is walked in groups whose
 * bytes are added as bytes, which cannot overflow, and the group's sum is then taken up twice: as it is, by 16-bit lanes,
 * and its odd bytes alone. The first sum less 2^8 times the second leaves the even bytes' sum, exact modulo 2^16: two
 * operations a group and vector where widening would take four.
 */
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
  when,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { storePlanes, type TargetPlane } from './target-planes.ts'

export interface ByteConvolutionSpec {
  /** Bytes that can be added up in a byte: 1, 2 or 4. */
  readonly group: number
  /** Vectors of 16 neighbouring outputs. */
  readonly vectors: number
  /** Whether the offsets take 32 bits instead of 16. */
  readonly wide: boolean
  readonly channelBytes: number
  readonly planes: readonly TargetPlane[]
  /** The byte that stands for zero in the output. */
  readonly zero: number
  readonly lowest: number
  readonly highest: number
  /** Whether filters may be summed in parts, a record each. */
  readonly parts: boolean
  /** Whether sums of some filters are doubled before they are scaled. */
  readonly doubles: boolean
  readonly residual?: { readonly channelBytes: number; readonly zero: number }
}

/**
 * [end of first, end of second: 32 bits each; ratio, multiplier, offset, residual multiplier: 16 bits each; shift, whether
 * the filter goes on in the next record, doublings: a byte each; 1 byte unused]
 */
export const byteRecordBytes = 20

/** Call with (input, output, residual, masks, tiles, records, end of records, entries). */
export function emitByteConvolution(name: string, spec: ByteConvolutionSpec): WasmFunction {
  const { group, vectors, residual } = spec
  const entryBytes = spec.wide ? 4 : 2
  // What a block loads and all sums, two a vector, are to fit 15 registers.
  const isLarge = vectors > 2
  const groupsInTurn = Math.max(1, (isLarge ? 2 : 4) / group)
  const blockVectors = isLarge ? 4 / (group * groupsInTurn) : vectors
  return defineFunction(name, new Array(8).fill('i32'), (parameters, local) => {
    const [input, output, residualInput, masks, tiles, records, recordsEnd, entries] = parameters as Locals<8>
    const [record, entry, end, target, added] = ['i32', 'i32', 'i32', 'i32', 'i32'].map(() =>
      local('i32'),
    ) as Locals<5>
    const addresses = Array.from({ length: group * groupsInTurn }, () => local('i32'))
    const constant = local('v128')
    const shift = local('i32')
    const sums = Array.from({ length: vectors }, () => ({
      /** Σ of the 16-bit lanes: even bytes + 2^8 · odd bytes, modulo 2^16. */
      all: local('v128'),
      /** Σ of the odd bytes. */
      odd: local('v128'),
      part: local('v128'),
      /** Of the parts before: their scaled sums, even and odd. */
      before: spec.parts ? ([local('v128'), local('v128')] as const) : undefined,
    }))

    const loadOffset = (index: number): Code =>
      spec.wide ? i32.load(get(entry), 4 * index) : i32.load16(get(entry), 2 * index)
    /**
     * V8 before version 13 moves a turn's additions behind all its loads, and spills where those of all vectors do not fit.
     * A branch holds loads back; its condition always holds, tiles being left.
     */
    const inBlocks = (f: (sum: (typeof sums)[number], vector: number) => Code): Code => {
      const codes = sums.map(f)
      if (!isLarge) return codes
      return Array.from({ length: vectors / blockVectors }, (_, i) =>
        when(get(tiles), codes.slice(blockVectors * i, blockVectors * (i + 1))),
      )
    }
    const takeGroups = (groups: number): Code => [
      addresses
        .slice(0, group * groups)
        .map((address, i) => set(address, i32.add(get(input), loadOffset(i)))),
      inBlocks(({ all, odd, part }, vector) =>
        Array.from({ length: groups }, (_, index) => {
          const bytes = addresses
            .slice(group * index, group * (index + 1))
            .map(address => v128.load(get(address), 16 * vector))
          return [
            set(
              part,
              bytes.reduce((a, b) => i8x16.add(a, b)),
            ),
            set(all, i16x8.add(get(all), get(part))),
            set(odd, i16x8.add(get(odd), i16x8.shiftRightUnsigned(get(part), i32.const(8)))),
          ]
        }),
      ),
      advance(entry, i32.const(entryBytes * group * groups)),
    ]
    const walk = (endField: number): Code => {
      const turn = entryBytes * group * groupsInTurn
      const single = repeatWhile(i32.lessThan(get(entry), get(end)), takeGroups(1))
      return [
        set(end, i32.load(get(record), endField)),
        groupsInTurn === 1
          ? single
          : [
              repeatWhile(
                i32.atMost(i32.add(get(entry), i32.const(turn)), get(end)),
                takeGroups(groupsInTurn),
              ),
              single,
            ],
      ]
    }
    /** A vector's sums are of all bytes and of the odd ones; this leaves those of the even bytes. */
    const evenSums = ({ all, odd }: (typeof sums)[number]): Code =>
      i16x8.sub(get(all), i16x8.shiftLeft(get(odd), i32.const(8)))
    /** The record's number at this place comes first: see `multiplyRound`. */
    const scaled = (field: number, sum: Code): Code =>
      i16x8.multiplyRound(i16x8.loadSplat(get(record), field), sum)
    const doubled = (sum: Code): Code =>
      spec.doubles ? i16x8.shiftLeft(sum, i32.load8(get(record), 18)) : sum

    /** Scales a vector's sums, and adds those of the parts before. */
    const scaleSums = (sum: (typeof sums)[number]): Code => {
      const { all, odd, before } = sum
      const added = (part: Code, i: number): Code =>
        before === undefined ? part : i16x8.addSaturate(get(before[i]!), part)
      return [
        set(all, added(scaled(10, doubled(evenSums(sum))), 0)),
        set(odd, added(scaled(10, doubled(get(odd))), 1)),
      ]
    }
    const finish = (sum: Code, added: Code): Code => {
      const moved = i16x8.addSaturate(sum, get(constant))
      const whole = residual === undefined ? moved : i16x8.addSaturate(moved, added)
      const shifted = i16x8.shiftRight(whole, get(shift))
      const bounded = i16x8.smaller(shifted, i16x8.splat(i32.const(spec.highest)))
      return i16x8.larger(bounded, i16x8.splat(i32.const(spec.lowest)))
    }
    const residualPart = (bytes: Code): Code => {
      const zero = residual?.zero ?? 0
      const centred = zero === 0 ? bytes : i16x8.sub(bytes, i16x8.splat(i32.const(zero)))
      return scaled(14, i16x8.shiftLeft(centred, i32.const(7)))
    }
    const store: Code = [
      set(constant, i16x8.loadSplat(get(record), 12)),
      set(shift, i32.load8(get(record), 16)),
      sums.map((sum, vector) => [
        residual === undefined ? [] : set(sum.part, v128.load(get(added), 16 * vector)),
        set(
          sum.all,
          v128.or(
            finish(get(sum.all), residualPart(v128.and(get(sum.part), i16x8.splat(i32.const(0xff))))),
            i16x8.shiftLeft(
              finish(get(sum.odd), residualPart(i16x8.shiftRightUnsigned(get(sum.part), i32.const(8)))),
              i32.const(8),
            ),
          ),
        ),
        storePlanes(spec.planes, spec.zero, get(sum.all), get(target), get(masks), 16 * vector),
      ]),
      advance(target, i32.const(spec.channelBytes)),
      residual === undefined ? [] : advance(added, i32.const(residual.channelBytes)),
    ]
    const filter: Code = [
      sums.map(({ all, odd }) => [set(all, v128.zero), set(odd, v128.zero)]),
      walk(0),
      sums.map(sum => [
        set(sum.all, scaled(8, evenSums(sum))),
        set(sum.odd, scaled(8, get(sum.odd))),
        set(sum.all, i16x8.add(get(sum.all), i16x8.shiftLeft(get(sum.odd), i32.const(8)))),
      ]),
      walk(4),
      sums.map(scaleSums),
      spec.parts
        ? [
            sums.map(({ all, odd, before }) => [set(before![0], get(all)), set(before![1], get(odd))]),
            when(i32.eq(i32.load8(get(record), 17), i32.const(0)), [
              store,
              sums.map(({ before }) => before!.map(sum => set(sum, v128.zero))),
            ]),
          ]
        : store,
      advance(record, i32.const(byteRecordBytes)),
    ]
    const tileBytes = i32.const(16 * vectors)
    return repeatWhile(get(tiles), [
      set(record, get(records)),
      set(entry, get(entries)),
      set(target, get(output)),
      set(added, get(residualInput)),
      repeatWhile(i32.lessThan(get(record), get(recordsEnd)), filter),
      [input, output, residualInput, masks].map(pointer => advance(pointer, tileBytes)),
      advance(tiles, i32.const(-1)),
    ])
  })
}
