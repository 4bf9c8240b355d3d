/** Assembles a module that needs nothing from outside: it has its own memory, with contents, and starts by itself. */
import { byte, type Code, i32, join, unsigned } from './instructions.ts'
import { bodyOf, bytesOf, moduleStart, section, sized, typeOf, vector, type WasmFunction } from './module.ts'

/** Bytes that lie somewhere in memory from the beginning. */
export interface Segment {
  readonly address: number
  readonly bytes: Uint8Array
}

export interface Program {
  /** By index, as `call` names them. */
  readonly functions: readonly WasmFunction[]
  /** Names of the functions that the host may call. */
  readonly exported: readonly string[]
  /** Name of the function, without parameters, that runs when the module is instantiated. */
  readonly start: string
  /** Of 64 KiB; exported as `memory`. */
  readonly pages: number
  /** What `memory.init` takes as segment 0. */
  readonly passive: Uint8Array
  readonly segments: readonly Segment[]
  /** A custom section. */
  readonly note: { readonly name: string; readonly bytes: Uint8Array }
}

export function assembleProgram(program: Program): Uint8Array<ArrayBuffer> {
  const { functions, exported, start, pages, passive, segments, note } = program
  const types = [...new Set(functions.map(written => join(typeOf(written))))]
  const indexOf = (name: string): string => unsigned(functions.findIndex(written => written.name === name))
  const data: Code[] = [
    byte(1) + sized(textOf(passive)),
    ...segments.map(({ address, bytes }) => [byte(0), i32.const(address), byte(0x0b), sized(textOf(bytes))]),
  ]
  const exports = [
    sized('memory') + byte(2, 0),
    ...exported.map(name => sized(name) + byte(0) + indexOf(name)),
  ]
  const code = join([
    moduleStart,
    section(1, vector(types)),
    section(3, vector(functions.map(written => unsigned(types.indexOf(join(typeOf(written))))))),
    section(5, vector([byte(1) + unsigned(pages) + unsigned(pages)])),
    section(7, vector(exports)),
    section(8, indexOf(start)),
    section(12, unsigned(data.length)),
    section(10, vector(functions.map(bodyOf))),
    section(11, vector(data)),
    section(0, sized(note.name) + textOf(note.bytes)),
  ])
  return bytesOf(code)
}

/** Bytes as the characters that code is made of. */
function textOf(bytes: Uint8Array): string {
  let text = ''
  for (const value of bytes) text += byte(value)
  return text
}
