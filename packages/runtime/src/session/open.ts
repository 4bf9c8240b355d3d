/** Plans a model for this host and takes its memory. */
import { SternaError } from '../errors.ts'
import type { PackedModel } from '../file/types.ts'
import { simdSupported } from '../kernels/wasm/simd.ts'
import { type ArithmeticChoice, type KernelSet, type Plan, planModel } from '../plan/plan.ts'
import { createExecutor, type Executor } from './executor.ts'
import { parts } from './parts.ts'

/** How a model computes. */
export interface ComputeOptions {
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

/** @throws SternaError as `planModel` does, and `usage/option` */
export async function openModel(model: PackedModel, options: ComputeOptions): Promise<Executor> {
  const plan = await planFor(model, options)
  try {
    return await createExecutor(plan)
  } catch (error) {
    // A page's security policy may forbid compiling what the host as such supports.
    const refused = error instanceof SternaError && error.code === 'engine/unavailable'
    if (plan.kernels.name !== 'simd128' || !refused) throw error
    const plain = { name: 'reference', reason: error.message } as const
    return createExecutor(await planModel(model, plain, chooseArithmetic(model, options), parts))
  }
}

/** @throws SternaError as `openModel` does */
export const planFor = async (model: PackedModel, options: ComputeOptions): Promise<Plan> =>
  planModel(model, chooseKernels(options), chooseArithmetic(model, options), parts)

function chooseArithmetic(model: PackedModel, { arithmetic = 'auto' }: ComputeOptions): ArithmeticChoice {
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

function chooseKernels({ kernels = 'auto' }: ComputeOptions): KernelSet {
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
