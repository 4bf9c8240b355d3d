import { SternaError } from '../errors.ts'
import { type ByteStream, type ReadSterna, readSterna, readSternaStream } from '../file/index.ts'
import type { PackedModel } from '../file/types.ts'
import { simdSupported } from '../kernels/wasm/index.ts'
import { describePlan, type ModelDescription } from '../plan/describe.ts'
import { type ArithmeticChoice, type KernelSet, planModel } from '../plan/plan.ts'
import { createExecutor } from './executor.ts'
import { Session } from './session.ts'

export interface LoadOptions {
  /**
   * `auto` (default): WebAssembly SIMD where the host has it, else plain JavaScript. `reference`: plain
   * JavaScript everywhere, slow, for comparison. `describe()` says which are used and why.
   */
  readonly kernels?: 'auto' | 'reference'
  /**
   * In what ternary layers compute: `int`, on bytes, faster and the same on every machine; `f32`, as the network was
   * trained. `auto` (default): `int` where the file has ranges of activations, else `f32`.
   */
  readonly arithmetic?: 'auto' | 'f32' | 'int'
}

/**
 * Reads a `.sterna` file and makes a session of it. A stream, as `(await fetch(url)).body`, is decoded as it arrives.
 * @throws SternaError `file/…` where the bytes are damaged or unsupported, `graph/…` where the network in them
 *   does not fit together, `file/limit` where it asks for more than the runtime allows
 */
export async function load(
  source: Uint8Array | ArrayBuffer | ByteStream,
  options: LoadOptions = {},
): Promise<Session> {
  return loadModel((await readSource(source)).model, options)
}

function readSource(source: Uint8Array | ArrayBuffer | ByteStream): ReadSterna | Promise<ReadSterna> {
  if (source instanceof Uint8Array) return readSterna(source)
  if (typeof source === 'object' && source !== null) {
    if ('byteLength' in source) return readSterna(new Uint8Array(source))
    if ('getReader' in source || Symbol.asyncIterator in source) return readSternaStream(source)
  }
  throw new SternaError('usage/input', 'expected the bytes of a .sterna file or a stream of them', {
    hint: 'pass a Uint8Array, an ArrayBuffer, or the body of a response',
  })
}

/** Makes a session of a model that is already in memory. */
export async function loadModel(model: PackedModel, options: LoadOptions = {}): Promise<Session> {
  const kernels = chooseKernels(options)
  const arithmetic = chooseArithmetic(model, options)
  try {
    return new Session(await createExecutor(planModel(model, kernels, arithmetic)))
  } catch (error) {
    // A page's security policy may forbid compiling what the host as such supports.
    const refused = error instanceof SternaError && error.code === 'engine/unavailable'
    if (kernels.name !== 'simd128' || !refused) throw error
    const plain = { name: 'reference', reason: error.message } as const
    return new Session(await createExecutor(planModel(model, plain, arithmetic)))
  }
}

/**
 * What a session of this model would do on this host, without making one.
 * @throws SternaError as `loadModel` does
 */
export function describeModel(model: PackedModel, options: LoadOptions = {}): ModelDescription {
  return describePlan(planModel(model, chooseKernels(options), chooseArithmetic(model, options)))
}

function chooseArithmetic(model: PackedModel, { arithmetic = 'auto' }: LoadOptions): ArithmeticChoice {
  if (arithmetic === 'f32') return { name: 'f32', reason: 'asked for' }
  if (arithmetic !== 'auto' && arithmetic !== 'int') {
    throw new SternaError(
      'usage/option',
      `arithmetic: expected "auto", "f32" or "int", found ${JSON.stringify(arithmetic)}`,
    )
  }
  if (model.activations !== undefined) return { name: 'int', reason: 'the file has ranges of activations' }
  if (arithmetic === 'auto') return { name: 'f32', reason: 'the file has no ranges of activations' }
  throw new SternaError('usage/option', `${model.name}: integer arithmetic needs ranges of activations`, {
    hint: 'pack the network with calibration data',
  })
}

function chooseKernels({ kernels = 'auto' }: LoadOptions): KernelSet {
  if (kernels === 'reference') return { name: 'reference', reason: 'asked for' }
  if (kernels !== 'auto') {
    throw new SternaError(
      'usage/option',
      `kernels: expected "auto" or "reference", found ${JSON.stringify(kernels)}`,
    )
  }
  if (simdSupported()) return { name: 'simd128', reason: 'this host has 128-bit WebAssembly SIMD' }
  return { name: 'reference', reason: 'this host has no 128-bit WebAssembly SIMD' }
}
