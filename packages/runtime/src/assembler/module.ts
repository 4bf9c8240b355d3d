/** Assembles functions into a WebAssembly module (core specification, section 5.5). */
import { type Code, type Local, unsigned } from './instructions.ts'

export type ValueType = 'i32' | 'f32' | 'v128'

const typeCodes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const satisfies Record<ValueType, number>

/** A function without result, exported under its name. */
export interface WasmFunction {
  readonly name: string
  readonly parameters: readonly ValueType[]
  readonly locals: readonly ValueType[]
  readonly body: Uint8Array
}

/** The parameters of a function that has `Count` of them. */
export type Locals<Count extends number, List extends Local[] = []> = List['length'] extends Count
  ? List
  : Locals<Count, [...List, Local]>

/** Declares parameters and locals while `build` writes the body. */
export function defineFunction(
  name: string,
  parameters: readonly ValueType[],
  build: (parameters: readonly Local[], local: (type: ValueType) => Local) => Code,
): WasmFunction {
  const locals: ValueType[] = []
  const body = build(
    parameters.map((_, index) => index as Local),
    type => (parameters.length + locals.push(type) - 1) as Local,
  )
  return { name, parameters, locals, body: bytesOf(body) }
}

/** The bytes of a module that imports `env.memory` and exports every function. */
export function assembleModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const text = (value: string): Code => sized(new TextEncoder().encode(value))
  const types = functions.map(({ parameters }) => [0x60, vector(parameters.map(type => typeCodes[type])), 0])
  const bodies = functions.map(({ locals, body }) => sized([vector(runsOf(locals)), body, 0x0b]))
  const memory = [text('env'), text('memory'), 2, 0, unsigned(1)]
  return bytesOf([
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, vector(types)),
    section(2, vector([memory])),
    section(3, vector(functions.map((_, index) => unsigned(index)))),
    section(7, vector(functions.map(({ name }, index) => [text(name), 0, unsigned(index)]))),
    section(10, vector(bodies)),
  ])
}

/** Neighbours of one type are declared together. */
function runsOf(locals: readonly ValueType[]): readonly Code[] {
  const starts = [...locals.keys()].filter(index => locals[index] !== locals[index - 1])
  return starts.map((start, run) => [
    unsigned((starts[run + 1] ?? locals.length) - start),
    typeCodes[locals[start]!],
  ])
}

const vector = (items: readonly Code[]): Code => [unsigned(items.length), items]

function sized(code: Code): Code {
  const bytes = bytesOf(code)
  return [unsigned(bytes.length), bytes]
}

const section = (id: number, content: Code): Code => [id, sized(content)]

let written = new Uint8Array(0x4000)
let length = 0

function bytesOf(code: Code): Uint8Array<ArrayBuffer> {
  length = 0
  write(code)
  return written.slice(0, length)
}

function write(code: Code): void {
  if (typeof code === 'number') {
    makeRoom(1)
    written[length++] = code
  } else if (code instanceof Uint8Array) {
    makeRoom(code.length)
    written.set(code, length)
    length += code.length
  } else {
    for (let i = 0; i < code.length; i++) write(code[i]!)
  }
}

function makeRoom(bytes: number): void {
  if (length + bytes <= written.length) return
  const larger = new Uint8Array(2 * (length + bytes))
  larger.set(written)
  written = larger
}
