import type { Plan, PlannedStep } from '../../plan/plan.ts'

export function simdSupported(): boolean {
  return false
}
export async function bindKernels(
  _plan: Plan,
  _memory: WebAssembly.Memory,
): Promise<Map<PlannedStep, () => void>> {
  return new Map()
}
