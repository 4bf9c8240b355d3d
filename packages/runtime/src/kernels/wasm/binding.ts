/** What binding a step to its kernels starts from and gives. */
import type { Plan, PlannedStep } from '../../plan/plan.ts'
import type { KernelFunction, Library } from './library.ts'

export type Call = () => void

/**
 * Makes the call of one step; the functions it needs exist once the library is instantiated. A session keeps the call, so
 * it must not hold on to the plan.
 */
export type Binding = () => Call

export interface BindingContext {
  readonly plan: Plan
  readonly planned: PlannedStep
  readonly buffer: ArrayBuffer
  readonly library: Library
  /** Where the operands of a node lie, and the input of a layer. */
  readonly inputs: readonly number[]
}

/** One function with the same numbers in every run. */
export const bindCall =
  (kernel: () => KernelFunction, ...numbers: readonly number[]): Binding =>
  () =>
    kernel().bind(null, ...numbers)

/** Calls one after the other. */
export const bindInOrder =
  (...bindings: readonly Binding[]): Binding =>
  () => {
    const calls = bindings.map(binding => binding())
    return () => {
      for (const call of calls) call()
    }
  }
