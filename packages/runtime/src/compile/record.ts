/** A session as what it does: memory before the first run, functions, and the calls that make up a run. */
import type { WasmFunction } from '../assembler/module.ts'
import { SternaError } from '../errors.ts'
import type { PackedMetadata, PackedModel } from '../file/types.ts'
import type { Plan } from '../plan/plan.ts'
import type { PlacedValue } from '../session/compiled-note.ts'
import { createExecutor } from '../session/executor.ts'
import { type ComputeOptions, planFor } from '../session/open.ts'

/** One call of a function with numbers that are the same in every run. */
export interface KernelCall {
  readonly name: string
  readonly numbers: readonly number[]
}

export interface Recording {
  readonly plan: Plan
  readonly metadata: PackedMetadata
  /** All memory, as it is before the first run. */
  readonly image: Uint8Array
  readonly functions: readonly WasmFunction[]
  /** What runs one image, in order. */
  readonly calls: readonly KernelCall[]
  readonly inputs: readonly PlacedValue[]
  readonly outputs: readonly PlacedValue[]
}

/** A ResNet-18 takes 2,933 in floats; each is kept by itself. */
const mostCalls = 1 << 20

/**
 * Binds a model and runs it once on zeros, taking down every call.
 * @throws SternaError as `loadModel` does, `engine/unavailable` where this host has no WebAssembly with 128-bit SIMD,
 *   `graph/unknown-value` where an output is a stored tensor, `file/limit` where a run is of too many calls
 */
export async function recordModel(
  model: PackedModel,
  options: Pick<ComputeOptions, 'arithmetic'>,
): Promise<Recording> {
  const plan = await planFor(model, options)
  if (plan.kernels.name !== 'simd128')
    throw new SternaError('engine/unavailable', `recording a network needs SIMD: ${plan.kernels.reason}`)
  const functions: WasmFunction[] = []
  const calls: KernelCall[] = []
  const { inputs, outputs, metadata, run } = await createExecutor(plan, {
    written: kernel => functions.push(kernel),
    called(name, numbers) {
      if (calls.push({ name, numbers }) > mostCalls)
        throw new SternaError(
          'file/limit',
          `${model.name}: one image takes more than ${mostCalls} calls of kernels`,
        )
    },
  })
  const { buffer } = inputs[0]!.data
  const stored = outputs.find(({ data }) => data.buffer !== buffer)
  if (stored !== undefined)
    throw new SternaError(
      'graph/unknown-value',
      `output "${stored.name}" is a stored tensor: nothing computes it`,
    )
  const image = new Uint8Array(buffer.slice(0, plan.memory.totalBytes))
  // Some are called to prepare memory.
  calls.length = 0
  run()
  const placed = ({ name, shape, data }: (typeof inputs)[number]): PlacedValue => ({
    name,
    shape,
    address: data.byteOffset,
  })
  return {
    plan,
    metadata,
    image,
    functions,
    calls,
    inputs: inputs.map(placed),
    outputs: outputs.map(placed),
  }
}
