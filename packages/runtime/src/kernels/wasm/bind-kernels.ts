import type { Plan, PlannedStep } from '../../plan/plan.ts'
import type { Binding, Call } from './binding.ts'
import { type KernelObserver, Library } from './library.ts'

/** Binds the steps on bytes, and those in numbers; absent where a plan has none. */
export interface Binders {
  readonly bytes: Pick<typeof import('./integer/bind-bytes.ts'), 'bindByteStep' | 'fillPlaces'> | undefined
  readonly numbers: Pick<typeof import('./bind.ts'), 'bindStep'> | undefined
}

/** Prepares every step for which a SIMD kernel is planned. */
export async function bindKernels(
  plan: Plan,
  memory: WebAssembly.Memory,
  { bytes, numbers }: Binders,
  observer?: KernelObserver,
): Promise<ReadonlyMap<PlannedStep, Call>> {
  const { buffer } = memory
  bytes?.fillPlaces(plan, buffer)
  const library = new Library(observer)
  const bindings = new Map<PlannedStep, Binding>()
  for (const planned of plan.steps) {
    const { step } = planned
    const context = { plan, planned, buffer, library }
    const binding = step.kind === 'bytes' ? bytes!.bindByteStep(context, step) : numbers?.bindStep(context)
    if (binding !== undefined) bindings.set(planned, binding)
  }
  await library.instantiate(memory)
  return new Map([...bindings].map(([planned, binding]) => [planned, binding()]))
}
