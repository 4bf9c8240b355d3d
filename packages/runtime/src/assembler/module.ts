/** Assembles functions into a WebAssembly module (core specification, section 5.5). */
import { byte, type Code, join, type Local, unsigned } from './instructions.ts'

export type ValueType = 'i32' | 'f32' | 'f64' | 'v128'

const typeCodes = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const satisfies Record<ValueType, number>

/** A function without result, exported under its name, in ASCII. */
export interface WasmFunction {
  readonly name: string
  readonly parameters: readonly ValueType[]
  readonly locals: readonly ValueType[]
  readonly body: string
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
  return { name, parameters, locals, body: join(body) }
}

/** The bytes of a module that imports `env.memory` and exports every function. */
export function assembleModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const memory = sized('env') + sized('memory') + byte(2, 0, 1)
  const code = join([
    moduleStart,
    section(1, vector(functions.map(typeOf))),
    section(2, vector([memory])),
    section(3, vector(functions.map((_, index) => unsigned(index)))),
    section(7, vector(functions.map(({ name }, index) => [sized(name), byte(0), unsigned(index)]))),
    section(10, vector(functions.map(bodyOf))),
  ])
  return bytesOf(code)
}

export const moduleStart: string = byte(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

export function typeOf({ parameters }: WasmFunction): Code {
  return [byte(0x60), vector(parameters.map(type => byte(typeCodes[type]))), byte(0)]
}

export function bodyOf({ locals, body }: WasmFunction): Code {
  return sized([vector(runsOf(locals)), body, byte(0x0b)])
}

/** The characters of code as bytes. */
export function bytesOf(code: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(code.length)
  for (let i = 0; i < code.length; i++) bytes[i] = code.charCodeAt(i)
  return bytes
}

/** Neighbours of one type are declared together. */
function runsOf(locals: readonly ValueType[]): readonly Code[] {
  const starts = [...locals.keys()].filter(index => locals[index] !== locals[index - 1])
  return starts.map((start, run) => [
    unsigned((starts[run + 1] ?? locals.length) - start),
    byte(typeCodes[locals[start]!]),
  ])
}

export const vector = (items: readonly Code[]): Code => [unsigned(items.length), items]

/** Of bytes or an ASCII name. */
export function sized(code: Code): string {
  const bytes = join(code)
  return unsigned(bytes.length) + bytes
}

export const section = (id: number, content: Code): Code => byte(id) + sized(content)
