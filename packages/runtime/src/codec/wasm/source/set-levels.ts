/** One context for every decision: `SetLevels`; or probabilities that do not learn. */
import {
  advance,
  branch,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  select,
  set,
  when,
} from '../../../assembler/instructions.ts'
import {
  balances,
  densityClasses,
  fineDensityClasses,
  largestBalance,
  largestCount,
  largestPlace,
  neighbourClasses,
} from '../../contexts.ts'
import { modelKinds } from '../layout.ts'
import { atMost, clamp, classify, classifyNeighbours, type LevelCode, type Place, sum } from './filter.ts'

const constant = i32.const

export function setLevels(place: Place): LevelCode {
  const { decisions, levels, level, below, row, column, channelDensity, filterDensity, local, word } = place
  const { bit, decide, probability, learn } = decisions
  const [kind, contexts, zeros, signs] = [word('kind'), word('contexts'), word('zeros'), word('signs')]
  const [toLeft, toAbove] = [word('toLeft'), word('toAbove')]
  const [context, left, up, neighbours] = [local(), local(), local(), local()]
  const [density, visited, count, balance] = [local(), local(), local(), local()]
  const [isSign, isMore] = [local(), local()]
  const isKind = (name: (typeof modelKinds)[number]): Code =>
    i32.eq(get(kind), constant(modelKinds.indexOf(name)))
  /** 0 where there is none: the level itself, before it is written. */
  const neighbour = (step: Local, exists: Local): Code =>
    i32.load8Signed(i32.sub(get(levels), select(get(step), constant(0), get(exists))))
  return {
    startKernel: [
      set(density, i32.add(get(channelDensity), get(filterDensity))),
      branch(
        isKind('matrix'),
        classify(density, 3, fineDensityClasses),
        classify(density, 4, densityClasses),
      ),
      [visited, count, balance].map(of => set(of, constant(0))),
    ],
    decode: [
      set(left, neighbour(toLeft, column)),
      set(up, neighbour(toAbove, row)),
      classifyNeighbours(neighbours, left, up),
      set(context, get(density)),
      when(
        isKind('plane'),
        set(context, i32.add(i32.mul(get(neighbours), constant(densityClasses)), get(density))),
      ),
      when(
        isKind('kernel'),
        set(
          context,
          i32.add(
            i32.mul(
              i32.add(
                i32.mul(atMost(visited, largestPlace), constant(largestCount + 1)),
                atMost(count, largestCount),
              ),
              constant(neighbourClasses),
            ),
            get(neighbours),
          ),
        ),
      ),
      advance(context, i32.mul(i32.and(get(below), constant(1)), get(zeros))),
      advance(visited, constant(1)),
      set(level, constant(0)),
      set(isSign, constant(0)),
      doWhile(
        [
          set(context, i32.add(get(contexts), i32.shiftLeft(get(context), constant(2)))),
          decide(select(probability(get(context)), i32.load(get(context)), get(kind))),
          when(get(kind), learn(context)),
          branch(
            get(isSign),
            [
              set(level, i32.sub(constant(1), i32.shiftLeft(get(bit), constant(1)))),
              advance(count, constant(1)),
              advance(balance, get(level)),
              set(isMore, constant(0)),
            ],
            [
              set(left, sum(get(left), get(up), constant(2))),
              when(isKind('kernel'), [
                set(up, get(balance)),
                clamp(up, -largestBalance, largestBalance),
                set(left, sum(i32.mul(get(left), constant(balances)), get(up), constant(largestBalance))),
              ]),
              set(
                context,
                sum(
                  i32.shiftLeft(get(zeros), constant(1)),
                  i32.mul(i32.add(get(below), constant(1)), get(signs)),
                  get(left),
                ),
              ),
              set(isSign, constant(1)),
              set(isMore, get(bit)),
            ],
          ),
        ],
        get(isMore),
      ),
    ],
  }
}
