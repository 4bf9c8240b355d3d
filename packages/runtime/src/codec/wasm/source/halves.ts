/** Decodes 16-bit floats: `HalfModel`. */
import {
  advance,
  doWhile,
  get,
  i32,
  repeatWhile,
  select,
  set,
  when,
} from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { at } from '../layout.ts'
import { codedDecisions } from './range-decoder.ts'

/** Call with (where the numbers go, the end of that), 16 bits each. */
export function emitHalves(name: string): WasmFunction {
  return defineFunction(name, ['i32', 'i32'], (parameters, local) => {
    const [target, targetEnd] = parameters as Locals<2>
    const { bit, open, close, decide, probability, learn } = codedDecisions(local)
    const [node, left, context, isLearned] = [local('i32'), local('i32'), local('i32'), local('i32')]
    return [
      open,
      repeatWhile(i32.lessThan(get(target), get(targetEnd)), [
        // The upper byte as a path through a tree, the lower one as noise. What stands above 16 bits is not stored.
        set(node, i32.const(1)),
        set(left, i32.const(16)),
        doWhile(
          [
            set(isLearned, i32.lessThan(i32.const(8), get(left))),
            set(
              context,
              i32.add(
                i32.load(i32.const(0), at('contexts')),
                select(i32.shiftLeft(get(node), i32.const(2)), i32.const(0), get(isLearned)),
              ),
            ),
            decide(select(probability(get(context)), i32.const(0x8000), get(isLearned))),
            when(get(isLearned), learn(context)),
            set(node, i32.add(i32.shiftLeft(get(node), i32.const(1)), get(bit))),
            advance(left, i32.const(-1)),
          ],
          get(left),
        ),
        i32.store16(get(target), get(node)),
        advance(target, i32.const(2)),
      ]),
      close,
    ]
  })
}
