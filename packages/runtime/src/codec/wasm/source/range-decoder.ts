/** The range decoder and its adaptive probabilities as code: `RangeDecoder` and `AdaptiveBits`. */
import {
  advance,
  type Code,
  get,
  i32,
  i64,
  type Local,
  repeatWhile,
  select,
  set,
  when,
} from '../../../assembler/instructions.ts'
import { at, tablesAt, type Word } from '../layout.ts'

const constant = i32.const

export interface CodedDecisions {
  /** The local that says 1 or 0 after a decision. */
  readonly bit: Local
  /** Takes the state from memory, and puts it back. */
  readonly open: Code
  readonly close: Code
  /** One decision that is 1 with probability p / 65536. */
  decide(p: Code): Code
  /** In 1/65536: the probability at this address. */
  probability(context: Code): Code
  /** The probability at the address in the local learns from `bit`. */
  learn(context: Local): Code
}

export function codedDecisions(local: (type: 'i32') => Local): CodedDecisions {
  const number = (): Local => local('i32')
  const loads: Code[] = []
  const stores: Code[] = []
  const loaded = (word: Word): Local => {
    const value = number()
    loads.push(set(value, i32.load(constant(0), at(word))))
    return value
  }
  const kept = (word: Word): Local => {
    const value = loaded(word)
    stores.push(i32.store(constant(0), get(value), at(word)))
    return value
  }
  const [range, point, next] = [kept('range'), kept('point'), kept('next')]
  const [end, toSeen, memory] = [loaded('end'), loaded('toSeen'), loaded('memory')]
  const [bound, bit, probability, seen, count] = [number(), number(), number(), number(), number()]
  const decide = (p: Code): Code => [
    set(
      bound,
      i64.lower(
        i64.shiftRightUnsigned(i64.mul(i64.fromUnsigned(get(range)), i64.fromUnsigned(p)), i64.const(16)),
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
  return {
    bit,
    open: loads,
    close: stores,
    decide,
    probability: context => i32.or(i32.shiftRightUnsigned(i32.load(context), constant(8)), constant(1)),
    learn: context => [
      set(probability, i32.load(get(context))),
      set(count, i32.add(get(context), get(toSeen))),
      set(seen, i32.load(get(count))),
      set(
        bound,
        i32.shiftRightUnsigned(
          i32.mul(
            i32.shiftRightUnsigned(
              select(i32.sub(constant(1 << 24), get(probability)), get(probability), get(bit)),
              constant(9),
            ),
            i32.load(i32.shiftLeft(get(seen), constant(2)), tablesAt),
          ),
          constant(6),
        ),
      ),
      i32.store(
        get(context),
        i32.add(get(probability), select(get(bound), i32.sub(constant(0), get(bound)), get(bit))),
      ),
      i32.store(get(count), i32.add(get(seen), i32.lessThan(get(seen), get(memory)))),
    ],
  }
}
