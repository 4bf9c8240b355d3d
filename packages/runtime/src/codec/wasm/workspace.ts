/** Memory that decoders in WebAssembly share, and the functions that work on it. */
import { assembleModule, type WasmFunction } from '../../assembler/module.ts'

type Decoder = (...numbers: number[]) => void

const pageBytes = 0x1_0000

export class Workspace {
  readonly #memory = new WebAssembly.Memory({ initial: 1 })
  readonly #functions = new Map<unknown, Map<string, Decoder>>()

  get buffer(): ArrayBuffer {
    return this.#memory.buffer
  }

  /** The function that `emit` writes for these options; undefined where a page's policy forbids compiling. */
  prepare<Options>(
    emit: (name: string, options: Options) => WasmFunction,
    options: Options,
  ): Decoder | undefined {
    const made = this.#functions.get(emit) ?? new Map<string, Decoder>()
    this.#functions.set(emit, made)
    const key = JSON.stringify(options)
    const known = made.get(key)
    if (known !== undefined) return known
    try {
      const module = new WebAssembly.Module(assembleModule([emit('decode', options)]))
      const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } })
      made.set(key, exports.decode as Decoder)
    } catch {}
    return made.get(key)
  }

  /** The memory, grown to `bytes` at least; undefined where there is not so much. */
  reserve(bytes: number): ArrayBuffer | undefined {
    try {
      const missing = bytes - this.#memory.buffer.byteLength
      if (missing > 0) this.#memory.grow(Math.ceil(missing / pageBytes))
      return this.#memory.buffer
    } catch {
      return undefined
    }
  }
}

/** Lives as long as the garbage collector lets it: over the tensors of a file, but not until the next file. */
let kept: WeakRef<Workspace> | undefined

/** Undefined where the host has no WebAssembly. */
export function openWorkspace(): Workspace | undefined {
  const known = kept?.deref()
  if (known !== undefined) return known
  if (typeof WebAssembly !== 'object') return undefined
  const workspace = new Workspace()
  kept = new WeakRef(workspace)
  return workspace
}
