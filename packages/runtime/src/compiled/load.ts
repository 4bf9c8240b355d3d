import { SternaError } from '../errors.ts'
import { compileModule } from '../kernels/wasm/compile-module.ts'
import { BatchSession } from '../session/batch-session.ts'
import { type CompiledNetwork, openCompiled } from '../session/compiled-network.ts'
import { expectThreads, startThreads } from '../session/start-threads.ts'
import type { StartedPool } from '../session/threads/pool.ts'

export interface LoadOptions {
  /**
   * Threads over which `runBatch` spreads the images of a batch, as in `sterna-runtime`; workers are given the compiled
   * module. 1, the default, to 256.
   */
  readonly threads?: number
}

/** A network that was planned when its module was written. */
export class CompiledSession extends BatchSession {
  /** In what ternary layers compute. */
  readonly arithmetic: 'f32' | 'int'

  constructor(network: CompiledNetwork, started: StartedPool) {
    const { name, metadata, arithmetic } = network.note
    super(name, metadata, network, started)
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
export async function load(
  source: Uint8Array | ArrayBuffer | WebAssembly.Module,
  { threads = 1 }: LoadOptions = {},
): Promise<CompiledSession> {
  expectThreads(threads)
  const module = await moduleOf(source)
  const network = await openCompiled(module)
  return new CompiledSession(network, await startThreads(threads, { module }))
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
