import { SternaError } from '../errors.ts'
import { compileModule } from '../kernels/wasm/compile-module.ts'
import { sizeOf } from '../plan/shape.ts'
import { ImageSession } from '../session/image-session.ts'
import type { ImageRunner, Value } from '../session/run-images.ts'
import { type CompiledNote, compiledNoteName, compiledNoteVersion, type PlacedValue } from './note.ts'

/** A network that was planned when its module was written. */
export class CompiledSession extends ImageSession {
  /** In what ternary layers compute. */
  readonly arithmetic: 'f32' | 'int'

  constructor({ name, metadata, arithmetic }: CompiledNote, runner: ImageRunner) {
    super(name, metadata, runner)
    this.arithmetic = arithmetic
  }
}

/**
 * Makes a session of a module that `sterna export` wrote; a bundler or `WebAssembly.compileStreaming` may have compiled it
 * already. It computes bit for bit what `load` of the `.sterna` file computes that it was made from.
 *
 * A module is code: it can reach nothing but its own memory, but may run for as long as it likes. Load it from where you
 * would load a script from.
 * @throws SternaError `file/bad-magic` where this is no such module, `file/unsupported` where it is of another version,
 *   `file/damaged` where it does not hold together, `engine/unavailable` where the host refuses to compile it
 */
export async function load(source: Uint8Array | ArrayBuffer | WebAssembly.Module): Promise<CompiledSession> {
  const module = await moduleOf(source)
  const note = readNote(module)
  let exports: WebAssembly.Exports
  try {
    exports = (await WebAssembly.instantiate(module)).exports
  } catch (cause) {
    if (cause instanceof RangeError)
      throw new SternaError('engine/unavailable', `${note.name}: this host refuses the memory it needs`, {
        cause,
      })
    throw damaged('it does not start', cause)
  }
  const { memory, run } = exports
  if (!(memory instanceof WebAssembly.Memory) || typeof run !== 'function')
    throw damaged('expected a memory and a function "run" among its exports')
  const place = ({ name, shape, address }: PlacedValue): Value => {
    try {
      return { name, shape, data: new Float32Array(memory.buffer, address, sizeOf(shape)) }
    } catch (cause) {
      throw damaged(`"${name}" lies outside its memory`, cause)
    }
  }
  const runner = {
    inputs: note.inputs.map(place),
    outputs: note.outputs.map(place),
    run: run as () => void,
  }
  return new CompiledSession(note, runner)
}

/** Of every WebAssembly module. */
const magic = [0, 0x61, 0x73, 0x6d]

async function moduleOf(source: Uint8Array | ArrayBuffer | WebAssembly.Module): Promise<WebAssembly.Module> {
  if (typeof WebAssembly !== 'object')
    throw new SternaError('engine/unavailable', 'this host has no WebAssembly')
  if (source instanceof WebAssembly.Module) return source
  const bytes =
    source instanceof Uint8Array
      ? source
      : source instanceof ArrayBuffer || Object.prototype.toString.call(source) === '[object ArrayBuffer]'
        ? new Uint8Array(source)
        : undefined
  if (bytes === undefined) {
    throw new SternaError('usage/input', 'expected the bytes of a WebAssembly module, or the module', {
      hint: 'pass a Uint8Array, an ArrayBuffer or a WebAssembly.Module',
    })
  }
  if (magic.some((byte, index) => bytes[index] !== byte))
    throw new SternaError('file/bad-magic', 'byte 0: this is not a WebAssembly module', {
      hint: 'a .sterna file is loaded with sterna-runtime; `sterna export` makes a module of it',
    })
  try {
    return await compileModule(bytes as Uint8Array<ArrayBuffer>)
  } catch (cause) {
    throw new SternaError(
      'engine/unavailable',
      `this host refuses to compile the module: ${(cause as Error).message}`,
      { cause, hint: 'it needs WebAssembly with 128-bit SIMD, and the file has to be whole' },
    )
  }
}

function readNote(module: WebAssembly.Module): CompiledNote {
  const [section] = WebAssembly.Module.customSections(module, compiledNoteName)
  if (section === undefined)
    throw new SternaError('file/bad-magic', 'this WebAssembly module was not written by `sterna export`')
  let note: CompiledNote
  try {
    note = JSON.parse(new TextDecoder().decode(section))
  } catch (cause) {
    throw damaged('its description is not JSON', cause)
  }
  if (note?.version !== compiledNoteVersion) {
    throw new SternaError(
      'file/unsupported',
      `expected version ${compiledNoteVersion} of a module, found ${note?.version}`,
      { hint: 'export the network again with the `sterna` of this version' },
    )
  }
  const isList = (values: unknown): boolean =>
    Array.isArray(values) &&
    values.length > 0 &&
    values.every(value => typeof value?.name === 'string' && isShape(value.shape))
  if (
    !isList(note.inputs) ||
    !isList(note.outputs) ||
    typeof note.metadata !== 'object' ||
    note.metadata === null
  )
    throw damaged('its description names no inputs, outputs or metadata')
  return note
}

const isShape = (shape: unknown): boolean =>
  Array.isArray(shape) && shape.every(size => Number.isInteger(size) && size > 0)

const damaged = (message: string, cause?: unknown): SternaError =>
  new SternaError('file/damaged', `module: ${message}`, { cause })
