/** Decodes the levels of one filter, one context for each decision: `SetLevels` and `codeAssignment` as one loop. */
import {
  advance,
  branch,
  type Code,
  get,
  i32,
  type Local,
  repeatWhile,
  select,
  set,
  when,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import {
  balances,
  densityClasses,
  fineDensityClasses,
  largestBalance,
  largestCount,
  largestPlace,
  neighbourClasses,
} from '../../levels.ts'
import { largestSeen, prior } from '../../ternary-model.ts'
import { at, channelBytes, modelKinds, type Word } from '../layout.ts'
import { codedDecisions } from './range-decoder.ts'

const constant = i32.const
const sum = (first: Code, ...others: Code[]): Code => others.reduce((a, b) => i32.add(a, b), first)

/**
 * Call with (levels, step from its first row to the row above, 16 log2 of what the channels' counts compare with); everything else
 * lies in memory. All levels of the filter must be 0: what has no neighbour, or no term below, takes itself for it.
 */
export function emitLevels(name: string): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], (parameters, local) => {
    const [levels, firstUp, channelBase] = parameters as Locals<3>
    const number = (): Local => local('i32')
    const { bit, open, close, decide, decideAdaptively } = codedDecisions(local)
    const loads: Code[] = []
    const loaded = (word: Word): Local => {
      const value = number()
      loads.push(set(value, i32.load(constant(0), at(word))))
      return value
    }
    const [channel, channelsEnd] = [loaded('channels'), loaded('channelsEnd')]
    const [rows, columns] = [loaded('rows'), loaded('columns')]
    const [toColumn, toRow] = [loaded('toColumn'), loaded('toRow')]
    const [toChannel, toBelow] = [loaded('toChannel'), loaded('toBelow')]
    const [kind, density, densityBase] = [loaded('kind'), loaded('density'), loaded('densityBase')]
    const [contexts, zeros, signs] = [loaded('contexts'), loaded('zeros'), loaded('signs')]
    const context = number()
    const [row, column, toUp, left, up] = [number(), number(), number(), number(), number()]
    const [neighbours, level, below] = [number(), number(), number()]
    const [densityClass, place, count, balance] = [number(), number(), number(), number()]
    const [found, filterCount, filterLog, filterSeen] = [number(), number(), number(), number()]

    const isKind = (name: (typeof modelKinds)[number]): Code =>
      i32.eq(get(kind), constant(modelKinds.indexOf(name)))
    const smaller = (value: Local, limit: Code): Code =>
      select(get(value), limit, i32.lessThanSigned(get(value), limit))
    const larger = (value: Local, limit: Code): Code =>
      select(limit, get(value), i32.lessThanSigned(get(value), limit))
    const atMost = (value: Local, limit: number): Code => smaller(value, constant(limit))
    /** 16 × log2, linear between powers of two: `log16`. */
    const log16 = (value: Local): Code =>
      i32.add(
        i32.shiftLeft(i32.sub(constant(31), i32.leadingZeros(get(value))), constant(4)),
        i32.and(
          i32.shiftRightUnsigned(i32.shiftLeft(get(value), i32.leadingZeros(get(value))), constant(27)),
          constant(15),
        ),
      )

    const decideIn = (index: Code): Code => [
      set(context, i32.add(get(contexts), i32.shiftLeft(index, constant(2)))),
      branch(get(kind), decideAdaptively(context), decide(i32.load(get(context)))),
    ]

    const kernelContext: Code = i32.add(
      i32.mul(
        i32.add(
          i32.mul(atMost(place, largestPlace), constant(largestCount + 1)),
          atMost(count, largestCount),
        ),
        constant(neighbourClasses),
      ),
      get(neighbours),
    )
    const planeContext: Code = i32.add(i32.mul(get(neighbours), constant(densityClasses)), get(densityClass))
    const decodeLevel: Code = [
      set(up, i32.load8Signed(i32.add(get(levels), get(toUp)))),
      set(below, i32.load8Signed(i32.add(get(levels), get(toBelow)))),
      // None, one, two equal, two opposite.
      set(neighbours, i32.mul(get(left), get(up))),
      set(
        neighbours,
        i32.add(
          i32.and(i32.or(get(left), get(up)), constant(1)),
          i32.sub(i32.and(get(neighbours), constant(1)), i32.shiftRight(get(neighbours), constant(31))),
        ),
      ),
      set(context, get(densityClass)),
      when(isKind('plane'), set(context, planeContext)),
      when(isKind('kernel'), set(context, kernelContext)),
      decideIn(i32.add(get(context), i32.mul(i32.and(get(below), constant(1)), get(zeros)))),
      advance(place, constant(1)),
      set(level, get(bit)),
      when(get(bit), [
        set(left, sum(get(left), get(up), constant(2))),
        when(isKind('kernel'), [
          set(up, atMost(balance, largestBalance)),
          set(up, larger(up, constant(-largestBalance))),
          set(left, sum(i32.mul(get(left), constant(balances)), get(up), constant(largestBalance))),
        ]),
        decideIn(
          sum(
            i32.shiftLeft(get(zeros), constant(1)),
            i32.mul(i32.add(get(below), constant(1)), get(signs)),
            get(left),
          ),
        ),
        set(level, i32.sub(constant(1), i32.shiftLeft(get(bit), constant(1)))),
        advance(count, constant(1)),
        advance(balance, get(level)),
      ]),
    ]
    const classOf = (shift: number, classes: number): Code => {
      const middle = (classes - 1) >> 1
      return [
        set(densityClass, i32.add(get(densityClass), constant(1 << (shift - 1)))),
        set(densityClass, i32.shiftRight(get(densityClass), constant(shift))),
        set(densityClass, atMost(densityClass, middle)),
        set(densityClass, larger(densityClass, constant(-middle))),
        advance(densityClass, constant(middle)),
      ]
    }
    const decodeKernel: Code = [
      set(found, i32.add(get(filterSeen), constant(prior))),
      set(
        densityClass,
        i32.sub(
          sum(i32.load(get(channel), 4), get(filterLog)),
          sum(get(channelBase), log16(found), get(densityBase)),
        ),
      ),
      branch(isKind('matrix'), classOf(3, fineDensityClasses), classOf(4, densityClasses)),
      [place, count, balance, found].map(of => set(of, constant(0))),
      set(toUp, get(firstUp)),
      set(row, get(rows)),
      repeatWhile(get(row), [
        set(column, get(columns)),
        repeatWhile(get(column), [
          decodeLevel,
          i32.store8(get(levels), get(level)),
          set(left, get(level)),
          advance(found, i32.and(get(level), constant(1))),
          advance(levels, get(toColumn)),
          advance(column, constant(-1)),
        ]),
        // Only a kernel of a single weight has its left neighbour in the kernel before.
        when(i32.lessThan(constant(1), i32.mul(get(rows), get(columns))), set(left, constant(0))),
        advance(levels, i32.sub(get(toRow), i32.mul(get(columns), get(toColumn)))),
        set(toUp, i32.sub(constant(0), get(toRow))),
        advance(row, constant(-1)),
      ]),
      advance(levels, i32.sub(get(toChannel), i32.mul(get(rows), get(toRow)))),
      advance(filterSeen, i32.mul(get(rows), get(columns))),
      set(filterSeen, atMost(filterSeen, largestSeen)),
      when(get(found), [
        advance(filterCount, get(found)),
        set(filterCount, atMost(filterCount, largestSeen)),
        set(filterLog, i32.add(i32.shiftLeft(get(filterCount), constant(4)), get(density))),
        set(filterLog, log16(filterLog)),
        advance(found, i32.load(get(channel))),
        set(found, atMost(found, largestSeen)),
        i32.store(get(channel), get(found)),
        set(found, i32.add(i32.shiftLeft(get(found), constant(4)), get(density))),
        i32.store(get(channel), log16(found), 4),
      ]),
    ]
    return [
      open,
      loads,
      set(filterLog, log16(density)),
      repeatWhile(i32.lessThan(get(channel), get(channelsEnd)), [
        branch(i32.load(get(channel), 8), decodeKernel, [
          advance(levels, get(toChannel)),
          set(left, constant(0)),
        ]),
        advance(channel, constant(channelBytes)),
      ]),
      close,
    ]
  })
}
