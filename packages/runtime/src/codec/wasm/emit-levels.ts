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
} from '../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../assembler/module.ts'
import {
  balances,
  type ContextSet,
  densityClasses,
  fineDensityClasses,
  largestBalance,
  largestCount,
  largestPlace,
  neighbourClasses,
  setSizes,
} from '../levels.ts'
import { largestSeen, prior } from '../ternary-model.ts'

/** Where in memory the decoder's state lies: 32 bits each. */
export const stateAt = { range: 0, place: 4, next: 8, end: 12 } as const
/** rates[n], 32 bits each, of `AdaptiveBits`. */
export const ratesAt = 64
/** Of one channel: how many weights were not zero, 16 × log2 of that, whether it has any; 32 bits each. */
export const channelBytes = 12

export interface LevelsSpec {
  /** `fixed`: two probabilities that do not learn. */
  readonly set: ContextSet | 'fixed'
  /** How many decisions a probability remembers. */
  readonly memory: number
  /** Whether there is a term below. */
  readonly below: boolean
  /** Whether a kernel is a single weight: its neighbours are those of the channel and of the filter before. */
  readonly isMatrix: boolean
}

/** How many contexts decide about zero, and all; each has a probability, and behind all of them a count of decisions. */
export function contextCounts({ set: contexts }: LevelsSpec): {
  readonly zeros: number
  readonly all: number
} {
  if (contexts === 'fixed') return { zeros: 1, all: 2 }
  const { zeros, signs } = setSizes(contexts)
  return { zeros: 2 * zeros, all: 2 * zeros + 3 * signs }
}

const constant = i32.const

/**
 * Call with (levels, step to the row above the first one, step to the term below, channels, end of channels, rows, columns,
 * steps from a weight to the next column, row and channel, 16 log2 of what the channels' counts compare with, the tensor's
 * density, 16 log2 of that over what counts start with, contexts). All levels of the filter must be 0.
 */
export function emitLevels(name: string, spec: LevelsSpec): WasmFunction {
  const { set: contexts, memory } = spec
  const { isMatrix } = spec
  const classes = contexts === 'matrix' ? fineDensityClasses : densityClasses
  const middle = (classes - 1) >> 1
  const classShift = contexts === 'matrix' ? 3 : 4
  const isKernel = contexts === 'kernel'
  const { zeros, signs } = contexts === 'fixed' ? { zeros: 0, signs: 0 } : setSizes(contexts)
  const seenAt = 4 * contextCounts(spec).all
  return defineFunction(name, new Array(14).fill('i32'), (parameters, local) => {
    const [levels, firstUp, toBelow, channels, channelsEnd, rows, columns] = parameters as Locals<7>
    const [right, down, inner, channelBase, density, densityLog, first] = parameters.slice(7) as Locals<7>
    const number = (): Local => local('i32')
    const [range, point, next, end] = [number(), number(), number(), number()]
    const [bound, bit, context, probability, seen] = [number(), number(), number(), number(), number()]
    const [row, column, toUp, left, up, neighbours, level] = [
      number(),
      number(),
      number(),
      number(),
      number(),
      number(),
      number(),
    ]
    const [nextRow, nextChannel] = [number(), number()]
    const [densityClass, place, count, balance, below] = [number(), number(), number(), number(), number()]
    const [found, filterCount, filterLog, filterSeen] = [number(), number(), number(), number()]

    /** 16 × log2, linear between powers of two: `log16`. */
    const log16 = (value: Local): Code => [
      i32.add(
        i32.shiftLeft(i32.sub(constant(31), i32.leadingZeros(get(value))), constant(4)),
        i32.and(
          i32.shiftRightUnsigned(i32.shiftLeft(get(value), i32.leadingZeros(get(value))), constant(27)),
          constant(15),
        ),
      ),
    ]
    /** At most `limit`, for numbers that are not negative. */
    const atMost = (value: Local, limit: number): Code =>
      select(get(value), constant(limit), i32.lessThan(get(value), constant(limit)))
    const clamped = (value: Local, lowest: number, highest: number): Code => [
      set(value, select(get(value), constant(lowest), i32.lessThanSigned(constant(lowest), get(value)))),
      select(get(value), constant(highest), i32.lessThanSigned(get(value), constant(highest))),
    ]
    /** `RangeDecoder.code`. */
    const decide = (p: Code): Code => [
      set(bound, p),
      set(
        bound,
        i32.shiftRightUnsigned(
          i32.add(
            i32.mul(i32.shiftRightUnsigned(get(range), constant(12)), get(bound)),
            i32.shiftRightUnsigned(i32.mul(i32.and(get(range), constant(0xfff)), get(bound)), constant(12)),
          ),
          constant(4),
        ),
      ),
      set(bit, i32.lessThan(get(point), get(bound))),
      set(range, select(get(bound), i32.sub(get(range), get(bound)), get(bit))),
      set(point, i32.sub(get(point), select(constant(0), get(bound), get(bit)))),
      repeatWhile(i32.lessThan(get(range), constant(0x1_0000)), [
        set(range, i32.shiftLeft(get(range), constant(8))),
        set(point, i32.shiftLeft(get(point), constant(8))),
        when(i32.lessThan(get(next), get(end)), set(point, i32.or(get(point), i32.load8(get(next))))),
        advance(next, constant(1)),
      ]),
    ]
    /** `AdaptiveBits.code` for the context at `context`. */
    const decideAdaptively: Code = [
      set(probability, i32.load(get(context))),
      decide(i32.or(i32.shiftRightUnsigned(get(probability), constant(8)), constant(1))),
      set(seen, i32.load(get(context), seenAt)),
      set(
        bound,
        i32.shiftRightUnsigned(
          i32.mul(
            i32.shiftRightUnsigned(
              select(i32.sub(constant(1 << 24), get(probability)), get(probability), get(bit)),
              constant(9),
            ),
            i32.load(i32.shiftLeft(get(seen), constant(2)), ratesAt),
          ),
          constant(6),
        ),
      ),
      i32.store(
        get(context),
        i32.add(get(probability), select(get(bound), i32.sub(constant(0), get(bound)), get(bit))),
      ),
      i32.store(get(context), i32.add(get(seen), i32.lessThan(get(seen), constant(memory))), seenAt),
    ]
    const at = (index: Code): Code => set(context, i32.add(get(first), i32.shiftLeft(index, constant(2))))

    const zeroContext: Code = [
      contexts === 'plane'
        ? i32.add(i32.mul(get(neighbours), constant(densityClasses)), get(densityClass))
        : isKernel
          ? i32.add(
              i32.mul(
                i32.add(
                  i32.mul(atMost(place, largestPlace), constant(largestCount + 1)),
                  atMost(count, largestCount),
                ),
                constant(neighbourClasses),
              ),
              get(neighbours),
            )
          : get(densityClass),
    ]
    const signContext: Code = [
      set(left, i32.add(i32.add(get(left), get(up)), constant(2))),
      isKernel
        ? set(
            left,
            i32.add(i32.mul(get(left), constant(balances)), [
              set(up, get(balance)),
              i32.add(clamped(up, -largestBalance, largestBalance), constant(largestBalance)),
            ]),
          )
        : [],
      get(left),
    ]
    const belowTimes = (value: Code, size: number): Code =>
      spec.below ? i32.mul(value, constant(size)) : constant(0)
    const decodeLevel: Code =
      contexts === 'fixed'
        ? [
            decide(i32.load(get(first))),
            set(level, get(bit)),
            when(get(bit), [
              decide(i32.load(get(first), 4)),
              set(level, i32.sub(constant(1), i32.shiftLeft(get(bit), constant(1)))),
            ]),
          ]
        : [
            set(up, i32.load8Signed(i32.add(get(levels), get(toUp)))),
            // None, one, two equal, two opposite.
            set(neighbours, i32.mul(get(left), get(up))),
            set(
              neighbours,
              i32.add(
                i32.and(i32.or(get(left), get(up)), constant(1)),
                i32.sub(i32.and(get(neighbours), constant(1)), i32.shiftRight(get(neighbours), constant(31))),
              ),
            ),
            spec.below ? set(below, i32.load8Signed(i32.add(get(levels), get(toBelow)))) : [],
            at(i32.add(belowTimes(i32.and(get(below), constant(1)), zeros), zeroContext)),
            isKernel ? advance(place, constant(1)) : [],
            decideAdaptively,
            set(level, get(bit)),
            when(get(bit), [
              at(
                i32.add(
                  i32.add(
                    belowTimes(i32.add(get(below), constant(1)), signs),
                    constant(2 * zeros + (spec.below ? 0 : signs)),
                  ),
                  signContext,
                ),
              ),
              decideAdaptively,
              set(level, i32.sub(constant(1), i32.shiftLeft(get(bit), constant(1)))),
              isKernel ? [advance(count, constant(1)), advance(balance, get(level))] : [],
            ]),
          ]
    const relative: Code = i32.sub(
      i32.add(
        i32.sub(i32.load(get(channels), 4), get(channelBase)),
        i32.sub(get(filterLog), [set(bound, i32.add(get(filterSeen), constant(prior))), log16(bound)]),
      ),
      get(densityLog),
    )
    const startKernel: Code =
      contexts === 'fixed'
        ? []
        : [
            set(densityClass, i32.add(relative, constant(1 << (classShift - 1)))),
            set(densityClass, i32.shiftRight(get(densityClass), constant(classShift))),
            set(densityClass, clamped(densityClass, -middle, middle)),
            advance(densityClass, constant(middle)),
            [place, count, balance].map(of => (isKernel ? set(of, constant(0)) : [])),
          ]
    const decodeKernel: Code = [
      startKernel,
      set(found, constant(0)),
      set(toUp, get(firstUp)),
      set(row, get(rows)),
      repeatWhile(get(row), [
        isMatrix ? [] : set(left, constant(0)),
        set(column, get(columns)),
        repeatWhile(get(column), [
          decodeLevel,
          i32.store8(get(levels), get(level)),
          set(left, get(level)),
          advance(found, i32.and(get(level), constant(1))),
          advance(levels, get(right)),
          advance(column, constant(-1)),
        ]),
        advance(levels, get(nextRow)),
        set(toUp, i32.sub(constant(0), get(down))),
        advance(row, constant(-1)),
      ]),
      advance(levels, get(nextChannel)),
      advance(filterSeen, i32.mul(get(rows), get(columns))),
      set(filterSeen, atMost(filterSeen, largestSeen)),
      when(get(found), [
        advance(filterCount, get(found)),
        set(filterCount, atMost(filterCount, largestSeen)),
        set(filterLog, i32.add(i32.shiftLeft(get(filterCount), constant(4)), get(density))),
        set(filterLog, log16(filterLog)),
        set(found, i32.add(get(found), i32.load(get(channels)))),
        set(found, atMost(found, largestSeen)),
        i32.store(get(channels), get(found)),
        set(found, i32.add(i32.shiftLeft(get(found), constant(4)), get(density))),
        i32.store(get(channels), log16(found), 4),
      ]),
    ]
    return [
      set(range, i32.load(constant(0), stateAt.range)),
      set(point, i32.load(constant(0), stateAt.place)),
      set(next, i32.load(constant(0), stateAt.next)),
      set(end, i32.load(constant(0), stateAt.end)),
      set(filterLog, log16(density)),
      set(nextRow, i32.sub(get(down), i32.mul(get(columns), get(right)))),
      set(nextChannel, i32.sub(get(inner), i32.mul(get(rows), get(down)))),
      repeatWhile(i32.lessThan(get(channels), get(channelsEnd)), [
        branch(i32.load(get(channels), 8), decodeKernel, [
          advance(levels, get(inner)),
          set(left, constant(0)),
        ]),
        advance(channels, constant(channelBytes)),
      ]),
      i32.store(constant(0), get(range), stateAt.range),
      i32.store(constant(0), get(point), stateAt.place),
      i32.store(constant(0), get(next), stateAt.next),
    ]
  })
}
