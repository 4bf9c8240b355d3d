/** Takes the memory a plan asks for and turns its steps into calls. */
import { SternaError } from '../errors.ts'
import { bindKernels } from '../kernels/wasm/index.ts'
import { widenTensor } from '../kernels/widen-tensor.ts'
import type { Plan } from '../plan/plan.ts'
import { sizeOf } from '../plan/shape.ts'

export interface Executor {
  readonly plan: Plan
  /** The numbers of an input, for writing before a run, or of an output, for reading after it. */
  value(name: string): Float32Array
  /** Runs one image. */
  run(): void
}

export async function createExecutor(plan: Plan): Promise<Executor> {
  const memory = takeMemory(plan)
  const { buffer } = memory
  const arrays = new Map<string, Float32Array>()
  const numbers = (name: string): Float32Array => {
    const tensor = plan.model.tensors.get(name)
    const array =
      arrays.get(name) ??
      (tensor === undefined
        ? new Float32Array(buffer, plan.addresses.get(name)!, sizeOf(plan.shapes.get(name)!))
        : widenTensor(tensor))
    arrays.set(name, array)
    return array
  }
  const bound = 'grow' in memory ? await bindKernels(plan, memory) : undefined
  const steps = plan.steps.filter(({ kernel }) => kernel.name !== 'alias')
  const plain = steps.every(planned => bound?.has(planned))
    ? undefined
    : (await import('./plain-calls.ts')).createPlainCalls(plan, numbers)
  const calls = steps.map(planned => bound?.get(planned) ?? plain!(planned))
  return {
    plan,
    value: numbers,
    run() {
      for (const call of calls) call()
    },
  }
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
