import type { Plan, PlannedStep } from '../../plan/plan.ts'
import { sizeOf } from '../../plan/shape.ts'
import { widenTensor } from '../widen-tensor.ts'
import type { Binding, Call } from './binding.ts'
import { type KernelObserver, Library } from './library.ts'

/** Binds the steps on bytes, those in numbers, and those of less common operators; absent where a plan has none. */
export interface Binders {
  readonly bytes: Pick<typeof import('./integer/bind-bytes.ts'), 'bindByteStep' | 'fillPlaces'> | undefined
  readonly numbers: Pick<typeof import('./bind.ts'), 'bindStep'> | undefined
  readonly general: Pick<typeof import('./general/bind-general.ts'), 'bindGeneralStep'> | undefined
}

/** Prepares every step for which a SIMD kernel is planned. */
export async function bindKernels(
  plan: Plan,
  memory: WebAssembly.Memory,
  { bytes, numbers, general }: Binders,
  observer?: KernelObserver,
): Promise<ReadonlyMap<PlannedStep, Call>> {
  const { buffer } = memory
  bytes?.fillPlaces(plan, buffer)
  const library = new Library(observer)
  const bindings = new Map<PlannedStep, Binding>()
  for (const planned of plan.steps) {
    const { step } = planned
    const context = { plan, planned, buffer, library, inputs: inputAddresses(plan, planned, buffer) }
    const binding =
      step.kind === 'bytes'
        ? bytes!.bindByteStep(context, step)
        : (general?.bindGeneralStep(context) ?? numbers?.bindStep(context))
    if (binding !== undefined) bindings.set(planned, binding)
  }
  await library.instantiate(memory)
  return new Map([...bindings].map(([planned, binding]) => [planned, binding()]))
}

/** Stored tensors among the operands of a node are written to the end of what its step has for weights. */
function inputAddresses(
  { model, addresses }: Plan,
  { step, weights, kernel }: PlannedStep,
  buffer: ArrayBuffer,
): readonly number[] {
  if (step.kind === 'bytes' || kernel.name === 'alias') return []
  if (step.kind === 'linear') return [addresses.get(step.input)!]
  let address = weights.address + weights.bytes
  return step.node.inputs.map(name => {
    const tensor = model.tensors.get(name)
    if (tensor === undefined) return addresses.get(name)!
    const size = sizeOf(tensor.shape)
    address -= 4 * size
    new Float32Array(buffer, address, size).set(widenTensor(tensor))
    return address
  })
}
