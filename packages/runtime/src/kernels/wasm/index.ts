import { assembleModule } from '../../assembler/module.ts'
import type { Plan, PlannedStep } from '../../plan/plan.ts'
import type { Binding, Call } from './binding.ts'
import { Library } from './library.ts'

let supported: boolean | undefined

/** Whether this host has WebAssembly with 128-bit SIMD; asked once. */
export function simdSupported(): boolean {
  supported ??= typeof WebAssembly === 'object' && WebAssembly.validate(assembleModule([probe]))
  return supported
}

/** Drops a vector of zeros. */
const probe = {
  name: 'probe',
  parameters: [],
  locals: [],
  body: new Uint8Array([0xfd, 0x0c, ...new Uint8Array(16), 0x1a]),
}

/** The parts of a session that a plan may need. */
export interface KernelParts {
  bytes(): Promise<Pick<typeof import('./integer/bind-bytes.ts'), 'bindByteStep' | 'fillPlaces'>>
  numbers(): Promise<Pick<typeof import('./bind.ts'), 'bindStep'>>
}

const inNumbers = ({ step, kernel }: PlannedStep): boolean =>
  step.kind !== 'bytes' && kernel.name !== 'alias' && kernel.name !== 'reference'

/** Prepares every step for which a SIMD kernel is planned. */
export async function bindKernels(
  plan: Plan,
  memory: WebAssembly.Memory,
  parts: KernelParts,
): Promise<ReadonlyMap<PlannedStep, Call>> {
  const { buffer } = memory
  const bytes = plan.steps.some(({ step }) => step.kind === 'bytes') ? await parts.bytes() : undefined
  const numbers = plan.steps.some(inNumbers) ? await parts.numbers() : undefined
  bytes?.fillPlaces(plan, buffer)
  const library = new Library()
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
