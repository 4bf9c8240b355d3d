/** CRC-32 of some more bytes. */
import { advance, get, i32, repeatWhile, set } from '../../../assembler/instructions.ts'
import { defineFunction, type Locals, type WasmFunction } from '../../../assembler/module.ts'
import { at } from '../layout.ts'

/** Call with (bytes, their end, the table of 256 remainders); the register stands in the word `crc`. */
export function emitChecksum(name: string): WasmFunction {
  return defineFunction(name, ['i32', 'i32', 'i32'], (parameters, local) => {
    const [bytes, end, table] = parameters as Locals<3>
    const crc = local('i32')
    const index = i32.and(i32.xor(get(crc), i32.load8(get(bytes))), i32.const(0xff))
    return [
      set(crc, i32.load(i32.const(0), at('crc'))),
      repeatWhile(i32.lessThan(get(bytes), get(end)), [
        set(
          crc,
          i32.xor(
            i32.shiftRightUnsigned(get(crc), i32.const(8)),
            i32.load(i32.add(get(table), i32.shiftLeft(index, i32.const(2)))),
          ),
        ),
        advance(bytes, i32.const(1)),
      ]),
      i32.store(i32.const(0), get(crc), at('crc')),
    ]
  })
}
