/** Four contexts for every decision, and their mix: `MixedLevels`. */
import {
  branch,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  select,
  set,
} from '../../../assembler/instructions.ts'
import {
  densityClasses,
  largestMix,
  learningShift,
  neighbourClasses,
  tableSize,
  tables,
} from '../../contexts.ts'
import { clamp, classify, classifyNeighbours, type LevelCode, type Place, sum } from './filter.ts'

const constant = i32.const
/** What stands for a neighbour that there is not. */
const none = constant(2)

export function mixedLevels(place: Place): LevelCode {
  const { decisions, levels, level, below, row, column, channelDensity, filterDensity, local, word } = place
  const { bit, decide, probability, learn } = decisions
  const [contexts, mixes, stretched, steps] = [
    word('contexts'),
    word('mixes'),
    word('stretched'),
    word('logisticSteps'),
  ]
  const [toLeft, toAbove, width] = [word('toLeft'), word('toAbove'), word('width')]
  const [left, up, plainLeft, plainUp, neighbours] = [local(), local(), local(), local(), local()]
  const [density, densityPair, pair] = [local(), local(), local()]
  const [mix, start, estimate, isSign, isMore] = [local(), local(), local(), local(), local()]
  const inputs = [0, 1, 2, 3].map(index => ({
    /** Of all tables, then the address of the probability. */
    offset: local(),
    context: local(),
    /** The stretched probability. */
    z: local(),
    /** Its part in the mix. */
    weightAt: 4 * index,
  }))
  const [plane, corners, beyond, densities] = inputs as [Input, Input, Input, Input]
  /** The neighbour so many steps to the left and up; it is looked at where it is not, but not further than the level itself. */
  const neighbour = (toThere: Code, exists: Code): Code => [
    set(start, exists),
    select(i32.load8Signed(i32.sub(get(levels), select(toThere, constant(0), get(start)))), none, get(start)),
  ]
  const times16 = (code: Code): Code => i32.shiftLeft(code, constant(4))
  const both = (a: Code, b: Code): Code => i32.and(i32.lessThan(constant(0), a), i32.lessThan(constant(0), b))
  const weight = ({ weightAt }: Input): Code => i32.load(get(mix), weightAt)
  return {
    startKernel: [
      set(density, i32.add(get(channelDensity), get(filterDensity))),
      classify(density, 4, densityClasses),
      classify(channelDensity, 3, densityClasses),
      classify(filterDensity, 3, densityClasses),
      set(densityPair, i32.add(i32.mul(get(channelDensity), constant(densityClasses)), get(filterDensity))),
    ],
    decode: [
      set(left, neighbour(get(toLeft), get(column))),
      set(up, neighbour(get(toAbove), get(row))),
      set(plainLeft, select(get(left), constant(0), get(column))),
      set(plainUp, select(get(up), constant(0), get(row))),
      classifyNeighbours(neighbours, plainLeft, plainUp),
      set(
        pair,
        times16(sum(i32.shiftLeft(i32.add(get(left), constant(1)), constant(2)), get(up), constant(1))),
      ),
      set(corners.offset, neighbour(i32.add(get(toAbove), get(toLeft)), both(get(column), get(row)))),
      set(
        corners.offset,
        sum(
          i32.shiftLeft(i32.add(get(corners.offset), constant(1)), constant(2)),
          neighbour(
            i32.sub(get(toAbove), get(toLeft)),
            both(get(row), i32.lessThan(i32.add(get(column), constant(1)), get(width))),
          ),
          get(pair),
          constant(tableSize + 1),
        ),
      ),
      set(
        beyond.offset,
        neighbour(i32.shiftLeft(get(toLeft), constant(1)), i32.lessThan(constant(1), get(column))),
      ),
      set(
        beyond.offset,
        sum(
          i32.shiftLeft(i32.add(get(beyond.offset), constant(1)), constant(2)),
          neighbour(i32.shiftLeft(get(toAbove), constant(1)), i32.lessThan(constant(1), get(row))),
          get(pair),
          constant(2 * tableSize + 1),
        ),
      ),
      set(densities.offset, i32.add(get(densityPair), constant(3 * tableSize))),
      set(plane.offset, i32.add(i32.mul(get(neighbours), constant(densityClasses)), get(density))),
      // The weights of a mix by what lies below, and by neighbours or, for the sign, one for all.
      set(
        mix,
        i32.add(i32.mul(i32.add(get(below), constant(1)), constant(neighbourClasses + 1)), get(neighbours)),
      ),
      set(start, i32.mul(i32.and(get(below), constant(1)), constant(tables * tableSize))),
      set(level, constant(0)),
      set(isSign, constant(0)),
      doWhile(
        [
          set(mix, i32.add(get(mixes), i32.shiftLeft(get(mix), constant(4)))),
          set(estimate, constant(0)),
          inputs.map(input => [
            set(
              input.context,
              i32.add(get(contexts), i32.shiftLeft(i32.add(get(start), get(input.offset)), constant(2))),
            ),
            set(
              input.z,
              i32.load16Signed(
                i32.add(
                  get(stretched),
                  i32.shiftLeft(
                    i32.shiftRightUnsigned(probability(get(input.context)), constant(4)),
                    constant(1),
                  ),
                ),
              ),
            ),
            set(
              estimate,
              i32.add(get(estimate), i32.shiftRight(i32.mul(weight(input), get(input.z)), constant(2))),
            ),
          ]),
          set(estimate, i32.shiftRight(get(estimate), constant(14))),
          clamp(estimate, -2047, 2047),
          set(estimate, logistic(estimate, steps, pair)),
          decide(get(estimate)),
          set(estimate, i32.sub(i32.shiftLeft(get(bit), constant(16)), get(estimate))),
          inputs.map(input => [
            set(
              input.z,
              i32.add(
                weight(input),
                i32.shiftRight(i32.mul(get(input.z), get(estimate)), constant(learningShift)),
              ),
            ),
            clamp(input.z, -largestMix, largestMix),
            i32.store(get(mix), get(input.z), input.weightAt),
            learn(input.context),
          ]),
          branch(
            get(isSign),
            [
              set(level, i32.sub(constant(1), i32.shiftLeft(get(bit), constant(1)))),
              set(isMore, constant(0)),
            ],
            [
              set(plane.offset, sum(get(plainLeft), get(plainUp), constant(2))),
              set(start, i32.mul(i32.add(get(below), constant(3)), constant(tables * tableSize))),
              set(
                mix,
                i32.add(
                  i32.mul(i32.add(get(below), constant(1)), constant(neighbourClasses + 1)),
                  constant(neighbourClasses),
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

interface Input {
  readonly offset: Local
  readonly context: Local
  readonly z: Local
  readonly weightAt: number
}

/** `logistic` of what the local holds, by the steps at the other's address. */
function logistic(value: Local, steps: Local, scratch: Local): Code {
  const part = i32.and(i32.add(get(value), constant(2048)), constant(127))
  return [
    set(
      scratch,
      i32.add(
        get(steps),
        i32.shiftLeft(i32.shiftRight(i32.add(get(value), constant(2048)), constant(7)), constant(2)),
      ),
    ),
    i32.shiftRight(
      sum(
        i32.mul(i32.load(get(scratch)), i32.sub(constant(128), part)),
        i32.mul(i32.load(get(scratch), 4), part),
        constant(64),
      ),
      constant(7),
    ),
  ]
}
