/** A compiled network on memory of its own: what a session runs, and each of its workers. */
import { SternaError } from '../errors.ts'
import { sizeOf } from '../plan/shape.ts'
import {
  type CompiledNote,
  compiledNoteName,
  compiledNoteVersion,
  type PlacedValue,
} from './compiled-note.ts'
import type { ImageRunner, Value } from './run-images.ts'

export interface CompiledNetwork extends ImageRunner {
  readonly note: CompiledNote
}

/** @throws SternaError as `load` does */
export async function openCompiled(module: WebAssembly.Module): Promise<CompiledNetwork> {
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
  return {
    note,
    inputs: note.inputs.map(place),
    outputs: note.outputs.map(place),
    run: run as () => void,
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
