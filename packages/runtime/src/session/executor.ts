/** Takes the memory a plan asks for and turns its steps into calls. */
import { SternaError } from '../errors.ts'
import type { PackedMetadata, Preview } from '../file/types.ts'
import type { Call } from '../kernels/wasm/binding.ts'
import type { KernelObserver } from '../kernels/wasm/library.ts'
import { widenTensor } from '../kernels/widen-tensor.ts'
import type { ModelDescription } from '../plan/describe.ts'
import type { Plan, PlannedStep } from '../plan/plan.ts'
import { sizeOf } from '../plan/shape.ts'
import { parts } from './parts.ts'
import type { ImageRunner, Value } from './run-images.ts'

/** A model that is ready to run. Of the model itself it holds what a session tells, not the weights. */
export interface Executor extends ImageRunner {
  readonly description: ModelDescription
  readonly metadata: PackedMetadata
  readonly preview: Preview | undefined
}

/** @param observer told of the kernels and their calls */
export async function createExecutor(plan: Plan, observer?: KernelObserver): Promise<Executor> {
  const { model, shapes, addresses, description } = plan
  const memory = takeMemory(plan)
  const { buffer } = memory
  const arrays = new Map<string, Float32Array>()
  const numbers = (name: string): Float32Array => {
    const tensor = model.tensors.get(name)
    const array =
      arrays.get(name) ??
      (tensor === undefined
        ? new Float32Array(buffer, addresses.get(name)!, sizeOf(shapes.get(name)!))
        : widenTensor(tensor))
    arrays.set(name, array)
    return array
  }
  const bound = 'grow' in memory ? await bindSteps(plan, memory, observer) : undefined
  const steps = plan.steps.filter(({ kernel }) => kernel.name !== 'alias')
  const plain = steps.every(planned => bound?.has(planned))
    ? undefined
    : (await import('./plain-calls.ts')).createPlainCalls(plan, numbers)
  const calls = steps.map(planned => bound?.get(planned) ?? plain!(planned))
  const value = (name: string): Value => ({ name, shape: shapes.get(name)!, data: numbers(name) })
  return {
    description,
    metadata: model.metadata,
    preview: model.preview,
    inputs: model.inputs.map(({ name }) => value(name)),
    outputs: model.outputs.map(value),
    run: inOrder(calls),
  }
}

/** The calls of steps that have a SIMD kernel. */
async function bindSteps(
  plan: Plan,
  memory: WebAssembly.Memory,
  observer: KernelObserver | undefined,
): Promise<ReadonlyMap<PlannedStep, Call> | undefined> {
  const onBytes = ({ step }: PlannedStep): boolean => step.kind === 'bytes'
  const inNumbers = (planned: PlannedStep): boolean => !onBytes(planned) && planned.kernel.name !== 'alias'
  const bytes = plan.steps.some(onBytes) ? await parts.bytes() : undefined
  const numbers = plan.steps.some(inNumbers) ? await parts.numbers() : undefined
  const general = plan.general ? await parts.general() : undefined
  return (bytes ?? numbers)?.bindKernels(plan, memory, { bytes, numbers, general }, observer)
}

/** On its own, lest the plan be held as long as the session. */
const inOrder =
  (calls: readonly Call[]): Call =>
  () => {
    for (const call of calls) call()
  }

function takeMemory({ model, kernels, memory }: Plan): WebAssembly.Memory | { readonly buffer: ArrayBuffer } {
  const pageBytes = 65_536
  const pages = Math.ceil(memory.totalBytes / pageBytes)
  try {
    if (kernels.name === 'simd128') return new WebAssembly.Memory({ initial: pages, maximum: pages })
    return { buffer: new ArrayBuffer(pages * pageBytes) }
  } catch (cause) {
    throw new SternaError(
      'engine/unavailable',
      `${model.name}: this host refuses the ${memory.totalBytes} bytes of memory the model needs`,
      { cause },
    )
  }
}
