/** What binding a step to its kernels starts from and gives. */
import type { Plan, PlannedStep } from '../../plan/plan.ts'
import type { Library } from './library.ts'

export type Call = () => void

/** Makes the call of one step; the functions it needs exist once the library is instantiated. */
export type Binding = () => Call

export interface BindingContext {
  readonly plan: Plan
  readonly planned: PlannedStep
  readonly buffer: ArrayBuffer
  readonly library: Library
}
