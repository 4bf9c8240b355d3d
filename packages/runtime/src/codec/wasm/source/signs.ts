/** Sorts the levels of a filter: the places of +1 and those of −1, behind the lists of the filters before. */
import { advance, type Code, get, i32, repeatWhile, set } from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { at } from '../layout.ts'

/**
 * Call with (levels, end of levels, room for the places of −1, sign that a level of +1 has), places of 32 bits each where `wide`, else
 * of 16. Every place is written where the next of its kind belongs, and stays there where the level says so: branches would
 * be mispredicted. Lists and room take one place more than there are levels.
 */
export function emitSigns(name: string, wide: boolean): WasmFunction {
  const size = wide ? 4 : 2
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [levels, levelsEnd, room, sign] = parameters as Locals<4>
    const [place, level, plus, minus, ends] = [
      local('i32'),
      local('i32'),
      local('i32'),
      local('i32'),
      local('i32'),
    ]
    const store = wide ? i32.store : i32.store16
    const load = wide ? i32.load : i32.load16
    /** The bytes of a place where the sum is 2, none where it is 1 or 0. */
    const taken = (sum: Code): Code => {
      const bytes = i32.and(sum, i32.const(2))
      return wide ? i32.shiftLeft(bytes, i32.const(1)) : bytes
    }
    const writeEnd: Code = [
      i32.store(
        get(ends),
        i32.shiftRightUnsigned(
          i32.sub(get(plus), i32.load(i32.const(0), at('lists'))),
          i32.const(wide ? 2 : 1),
        ),
      ),
      advance(ends, i32.const(4)),
    ]
    return [
      set(plus, i32.load(i32.const(0), at('listsEnd'))),
      set(ends, i32.load(i32.const(0), at('ends'))),
      set(minus, get(room)),
      repeatWhile(i32.lessThan(get(levels), get(levelsEnd)), [
        set(level, i32.mul(i32.load8Signed(get(levels)), get(sign))),
        store(get(plus), get(place)),
        store(get(minus), get(place)),
        advance(plus, taken(i32.add(i32.const(1), get(level)))),
        advance(minus, taken(i32.sub(i32.const(1), get(level)))),
        advance(place, i32.const(1)),
        advance(levels, i32.const(1)),
      ]),
      writeEnd,
      repeatWhile(i32.lessThan(get(room), get(minus)), [
        store(get(plus), load(get(room))),
        advance(plus, i32.const(size)),
        advance(room, i32.const(size)),
      ]),
      writeEnd,
      i32.store(i32.const(0), get(plus), at('listsEnd')),
      i32.store(i32.const(0), get(ends), at('ends')),
    ]
  })
}
