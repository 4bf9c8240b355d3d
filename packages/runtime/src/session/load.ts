import { readSterna } from '../file/index.ts'
import type { PackedModel } from '../file/types.ts'
import { simdSupported } from '../kernels/wasm/index.ts'
import { describePlan, type ModelDescription } from '../plan/describe.ts'
import { planModel } from '../plan/plan.ts'
import { createExecutor } from './executor.ts'
import { Session } from './session.ts'

export interface LoadOptions {
  /**
   * `auto` (default): WebAssembly SIMD where the host has it. `reference`: plain JavaScript everywhere, slow,
   * for comparison.
   */
  readonly kernels?: 'auto' | 'reference'
}

/**
 * Reads the bytes of a `.sterna` file and makes a session of it.
 * @throws SternaError `file/…` where the bytes are damaged or unsupported, `graph/…` where the network in them
 *   does not fit together, `file/limit` where it asks for more than the runtime allows
 */
export async function load(source: Uint8Array | ArrayBuffer, options: LoadOptions = {}): Promise<Session> {
  const bytes = source instanceof Uint8Array ? source : new Uint8Array(source)
  return loadModel(readSterna(bytes).model, options)
}

/** Makes a session of a model that is already in memory. */
export async function loadModel(model: PackedModel, options: LoadOptions = {}): Promise<Session> {
  return new Session(await createExecutor(planModel(model, usesSimd(options))))
}

/**
 * What a session of this model would do on this host, without making one.
 * @throws SternaError as `loadModel` does
 */
export function describeModel(model: PackedModel, options: LoadOptions = {}): ModelDescription {
  return describePlan(planModel(model, usesSimd(options)))
}

const usesSimd = ({ kernels = 'auto' }: LoadOptions): boolean => kernels === 'auto' && simdSupported()
