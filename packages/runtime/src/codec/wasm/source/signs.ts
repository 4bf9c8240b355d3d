/** Sorts the levels of a filter: the places of +1 and those of −1. */
import { advance, type Code, get, i32, repeatWhile, set } from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { at } from '../layout.ts'

/**
 * Call with (levels, end of levels, list of +1, list of −1), of 32 bits each where `wide`, else of 16. Every place is written where the next of its kind belongs, and stays
 * there where the level says so: branches would be mispredicted. Both lists need room for one place more than there are levels.
 */
export function emitSigns(name: string, wide: boolean): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32', 'i32'], (parameters, local) => {
    const [levels, end, plus, minus] = parameters as Locals<4>
    const [place, level] = [local('i32'), local('i32')]
    const store = (list: Code): Code => (wide ? i32.store : i32.store16)(list, get(place))
    /** The bytes of a place where the level is `sign`, none where it is 0 or −`sign`. */
    const taken = (sum: Code): Code => {
      const bytes = i32.and(sum, i32.const(2))
      return wide ? i32.shiftLeft(bytes, i32.const(1)) : bytes
    }
    return [
      repeatWhile(i32.lessThan(get(levels), get(end)), [
        set(level, i32.load8Signed(get(levels))),
        store(get(plus)),
        store(get(minus)),
        advance(plus, taken(i32.add(i32.const(1), get(level)))),
        advance(minus, taken(i32.sub(i32.const(1), get(level)))),
        advance(place, i32.const(1)),
        advance(levels, i32.const(1)),
      ]),
      i32.store(i32.const(0), get(plus), at('plusEnd')),
      i32.store(i32.const(0), get(minus), at('minusEnd')),
    ]
  })
}
