import type { Tensor } from '../../core/index.ts'
import type { Skipped } from './state-dict.ts'

export interface PytorchFile {
  /** By the name in the state dict, in its order. */
  readonly tensors: Map<string, Tensor>
  /** What else was in the file: counters, optimiser state and the like. */
  readonly skipped: readonly Skipped[]
}
