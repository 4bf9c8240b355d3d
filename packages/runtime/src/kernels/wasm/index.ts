import type { Plan, PlannedStep } from '../../plan/plan.ts'
import { type Binding, bindStep, type Call } from './bind.ts'
import { f32x4 } from './instructions.ts'
import { fillPlaces } from './integer/bind-bytes.ts'
import { Library } from './library.ts'
import { assembleModule, defineFunction } from './module.ts'

let supported: boolean | undefined

/** Whether this host has WebAssembly with 128-bit SIMD; asked once. */
export function simdSupported(): boolean {
  supported ??= typeof WebAssembly === 'object' && WebAssembly.validate(assembleModule([probe]))
  return supported
}

const probe = defineFunction('probe', [], () => [f32x4.splat(0), 0x1a]) // a vector constant, dropped

/** Prepares every step for which a SIMD kernel is planned. */
export async function bindKernels(
  plan: Plan,
  memory: WebAssembly.Memory,
): Promise<ReadonlyMap<PlannedStep, Call>> {
  fillPlaces(plan, memory.buffer)
  const library = new Library()
  const bindings = new Map<PlannedStep, Binding>()
  for (const planned of plan.steps) {
    const binding = bindStep(plan, planned, memory.buffer, library)
    if (binding !== undefined) bindings.set(planned, binding)
  }
  await library.instantiate(memory)
  return new Map([...bindings].map(([planned, binding]) => [planned, binding()]))
}
