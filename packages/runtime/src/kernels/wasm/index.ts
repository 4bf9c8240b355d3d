import { f32x4 } from '../../assembler/instructions.ts'
import { assembleModule, defineFunction } from '../../assembler/module.ts'
import type { Plan, PlannedStep } from '../../plan/plan.ts'
import type { Binding, Call } from './binding.ts'
import { Library } from './library.ts'

let supported: boolean | undefined

/** Whether this host has WebAssembly with 128-bit SIMD; asked once. */
export function simdSupported(): boolean {
  supported ??= typeof WebAssembly === 'object' && WebAssembly.validate(assembleModule([probe]))
  return supported
}

const probe = defineFunction('probe', [], () => [f32x4.splat(0), 0x1a]) // a vector constant, dropped

/**
 * Prepares every step for which a SIMD kernel is planned. Kernels for numbers and for bytes are loaded only where the plan
 * has such steps.
 */
export async function bindKernels(
  plan: Plan,
  memory: WebAssembly.Memory,
): Promise<ReadonlyMap<PlannedStep, Call>> {
  const { buffer } = memory
  const onBytes = ({ step }: PlannedStep): boolean => step.kind === 'bytes'
  const bytes = plan.steps.some(onBytes) ? await import('./integer/bind-bytes.ts') : undefined
  const numbers = plan.steps.every(onBytes) ? undefined : await import('./bind.ts')
  bytes?.fillPlaces(plan, buffer)
  const library = new Library()
  const bindings = new Map<PlannedStep, Binding>()
  for (const planned of plan.steps) {
    const { step } = planned
    const context = { plan, planned, buffer, library }
    const binding = step.kind === 'bytes' ? bytes!.bindByteStep(context, step) : numbers!.bindStep(context)
    if (binding !== undefined) bindings.set(planned, binding)
  }
  await library.instantiate(memory)
  return new Map([...bindings].map(([planned, binding]) => [planned, binding()]))
}
