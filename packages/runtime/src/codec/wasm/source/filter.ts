/** Decodes the levels of one filter: `codeAssignment` as one loop around the code of a level. */
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
import { largestSeen, prior } from '../../ternary-model.ts'
import { at, channelBytes, type Word } from '../layout.ts'
import { type CodedDecisions, codedDecisions } from './range-decoder.ts'

const constant = i32.const
export const sum = (first: Code, ...others: Code[]): Code => others.reduce((a, b) => i32.add(a, b), first)
const smaller = (value: Local, limit: number): Code =>
  select(get(value), constant(limit), i32.lessThanSigned(get(value), constant(limit)))
/** At least `lowest`, at most `highest`. */
export const clamp = (value: Local, lowest: number, highest: number): Code => [
  set(value, smaller(value, highest)),
  set(value, select(constant(lowest), get(value), i32.lessThanSigned(get(value), constant(lowest)))),
]
export const atMost = smaller

/** What the code of a level finds in locals. */
export interface Place {
  readonly decisions: CodedDecisions
  /** The level's address, and what is found there in the end. */
  readonly levels: Local
  readonly level: Local
  /** The same in the term below; itself, still 0, where there is none. */
  readonly below: Local
  /** In the plane of neighbours. */
  readonly row: Local
  readonly column: Local
  /** The densities of this kernel's channel and filter: 16 × log2 of their ratio to the tensor's. */
  readonly channelDensity: Local
  readonly filterDensity: Local
  local(): Local
  /** A word of the layout, loaded once. */
  word(name: Word): Local
}

export interface LevelCode {
  readonly startKernel: Code
  readonly decode: Code
}

/**
 * Call with (levels, row of the plane of neighbours in which the filter begins, 16 log2 of what the channels' counts compare
 * with); everything else lies in memory. All levels of the filter must be 0.
 */
export function emitFilter(name: string, write: (place: Place) => LevelCode): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], (parameters, local) => {
    const [levels, firstRow, channelBase] = parameters as Locals<3>
    const number = (): Local => local('i32')
    const decisions = codedDecisions(local)
    const loads: Code[] = []
    const word = (name: Word): Local => {
      const value = number()
      loads.push(set(value, i32.load(constant(0), at(name))))
      return value
    }
    const [channel, channelsEnd] = [word('channels'), word('channelsEnd')]
    const [rows, columns] = [word('rows'), word('columns')]
    const [toColumn, toRow] = [word('toColumn'), word('toRow')]
    const [toChannel, toBelow] = [word('toChannel'), word('toBelow')]
    const [density, densityBase] = [word('density'), word('densityBase')]
    const [rowsLeft, columnsLeft, row, column] = [number(), number(), number(), number()]
    const [level, below, channelDensity, filterDensity] = [number(), number(), number(), number()]
    const [found, filterCount, filterLog, filterSeen] = [number(), number(), number(), number()]
    const code = write({
      decisions,
      levels,
      level,
      below,
      row,
      column,
      channelDensity,
      filterDensity,
      local: number,
      word,
    })
    /** 16 × log2, linear between powers of two: `log16`. */
    const log16 = (value: Local): Code =>
      i32.add(
        i32.shiftLeft(i32.sub(constant(31), i32.leadingZeros(get(value))), constant(4)),
        i32.and(
          i32.shiftRightUnsigned(i32.shiftLeft(get(value), i32.leadingZeros(get(value))), constant(27)),
          constant(15),
        ),
      )
    const decodeKernel: Code = [
      set(channelDensity, i32.sub(i32.load(get(channel), 4), get(channelBase))),
      set(found, i32.add(get(filterSeen), constant(prior))),
      set(filterDensity, i32.sub(i32.sub(get(filterLog), log16(found)), get(densityBase))),
      code.startKernel,
      set(found, constant(0)),
      set(row, get(firstRow)),
      set(rowsLeft, get(rows)),
      repeatWhile(get(rowsLeft), [
        // Only a kernel of a single weight has its left neighbour in the kernel before.
        when(i32.lessThan(constant(1), i32.mul(get(rows), get(columns))), set(column, constant(0))),
        set(columnsLeft, get(columns)),
        repeatWhile(get(columnsLeft), [
          set(below, i32.load8Signed(i32.add(get(levels), get(toBelow)))),
          code.decode,
          i32.store8(get(levels), get(level)),
          advance(found, i32.and(get(level), constant(1))),
          advance(levels, get(toColumn)),
          advance(column, constant(1)),
          advance(columnsLeft, constant(-1)),
        ]),
        advance(levels, i32.sub(get(toRow), i32.mul(get(columns), get(toColumn)))),
        advance(row, constant(1)),
        advance(rowsLeft, constant(-1)),
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
      decisions.open,
      loads,
      set(filterLog, log16(density)),
      repeatWhile(i32.lessThan(get(channel), get(channelsEnd)), [
        branch(i32.load(get(channel), 8), decodeKernel, [
          advance(levels, get(toChannel)),
          advance(column, constant(1)),
        ]),
        advance(channel, constant(channelBytes)),
      ]),
      decisions.close,
    ]
  })
}

/** 0 to `classes` − 1, the middle for a density that is the tensor's: `densityClass`. */
export function classify(density: Local, shift: number, classes: number): Code {
  const middle = (classes - 1) >> 1
  return [
    set(density, i32.add(get(density), constant(1 << (shift - 1)))),
    set(density, i32.shiftRight(get(density), constant(shift))),
    clamp(density, -middle, middle),
    advance(density, constant(middle)),
  ]
}

/** None, one, two equal, two opposite: the neighbours `left` and `up`, each −1 to 1. */
export function classifyNeighbours(neighbours: Local, left: Local, up: Local): Code {
  return [
    set(neighbours, i32.mul(get(left), get(up))),
    set(
      neighbours,
      i32.add(
        i32.and(i32.or(get(left), get(up)), constant(1)),
        i32.sub(i32.and(get(neighbours), constant(1)), i32.shiftRight(get(neighbours), constant(31))),
      ),
    ),
  ]
}
