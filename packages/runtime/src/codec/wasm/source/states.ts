/** Decodes blocks of the `fast` codec: four rANS states, one for each of four neighbouring blocks. */
import { advance, get, i32, type Local, repeatWhile, set, when } from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { lowestState } from '../../fast.ts'
import { at } from '../layout.ts'

const constant = i32.const

/**
 * Call with (levels, rounds of four blocks, rows and columns of a block, spans). All levels must be 0; those of a round follow
 * each other block by block.
 * @param wordsAt where the words of the layout lie
 */
export function emitStates(name: string, wordsAt = 0): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [levels, rounds, rows, columns, spans] = parameters as Locals<5>
    const number = (): Local => local('i32')
    const [next, end, row, column, up, block] = [number(), number(), number(), number(), number(), number()]
    const lanes = (['state0', 'state1', 'state2', 'state3'] as const).map((word, lane) => ({
      word,
      state: number(),
      level: number(),
      span: number(),
      low: number(),
      isPositive: number(),
      isNegative: number(),
      /** Of this lane's weight. */
      address: lane === 0 ? levels : number(),
    }))
    const decode = ({ state, level, span, low, isPositive, isNegative, address }: (typeof lanes)[number]) => [
      // The context: 3 × left + up, four words each, from the middle one on.
      set(
        span,
        i32.add(
          i32.add(
            get(spans),
            i32.add(
              i32.mul(get(level), constant(48)),
              i32.shiftLeft(i32.load8Signed(i32.sub(get(address), get(up))), constant(4)),
            ),
          ),
          constant(64),
        ),
      ),
      set(low, i32.and(get(state), constant(0xfff))),
      set(isPositive, i32.load(get(span))),
      set(isNegative, i32.atMost(i32.shiftRightUnsigned(get(isPositive), constant(16)), get(low))),
      set(isPositive, i32.atMost(i32.and(get(isPositive), constant(0xffff)), get(low))),
      set(
        span,
        i32.load(
          i32.add(get(span), i32.shiftLeft(i32.add(get(isPositive), get(isNegative)), constant(2))),
          4,
        ),
      ),
      set(level, i32.sub(get(isPositive), i32.shiftLeft(get(isNegative), constant(1)))),
      i32.store8(get(address), get(level)),
      set(
        state,
        i32.sub(
          i32.add(
            i32.mul(
              i32.shiftRightUnsigned(get(span), constant(16)),
              i32.shiftRightUnsigned(get(state), constant(12)),
            ),
            get(low),
          ),
          i32.and(get(span), constant(0xffff)),
        ),
      ),
    ]
    const refill = ({ state }: (typeof lanes)[number]) =>
      when(i32.lessThan(get(state), constant(lowestState)), [
        set(state, i32.shiftLeft(get(state), constant(16))),
        when(
          i32.lessThan(i32.add(get(next), constant(1)), get(end)),
          set(state, i32.or(get(state), i32.load16(get(next)))),
        ),
        advance(next, constant(2)),
      ])
    return [
      lanes.map(({ state, word }) => set(state, i32.load(constant(wordsAt), at(word)))),
      set(next, i32.load(constant(wordsAt), at('next'))),
      set(end, i32.load(constant(wordsAt), at('end'))),
      set(block, i32.mul(get(rows), get(columns))),
      repeatWhile(get(rounds), [
        set(row, get(rows)),
        // In the first row the weight above is the one about to be written, still 0.
        set(up, constant(0)),
        lanes.slice(1).map(({ address }, i) => set(address, i32.add(get(lanes[i]!.address), get(block)))),
        repeatWhile(get(row), [
          lanes.map(({ level }) => set(level, constant(0))),
          set(column, get(columns)),
          repeatWhile(get(column), [
            lanes.map(decode),
            lanes.map(refill),
            lanes.map(({ address }) => advance(address, constant(1))),
            advance(column, constant(-1)),
          ]),
          set(up, get(columns)),
          advance(row, constant(-1)),
        ]),
        advance(levels, i32.mul(get(block), constant(3))),
        advance(rounds, constant(-1)),
      ]),
      lanes.map(({ state, word }) => i32.store(constant(wordsAt), get(state), at(word))),
      i32.store(constant(wordsAt), get(next), at('next')),
    ]
  })
}
