import type { Preview } from '../file/types.ts'
import type { ModelDescription } from '../plan/describe.ts'
import { BatchSession } from './batch-session.ts'
import type { Executor } from './executor.ts'
import type { StartedPool } from './threads/pool.ts'

/** A loaded model. Its memory was taken when it was loaded; running allocates nothing but results that are given no room. */
export class Session extends BatchSession {
  /** Something to show for the network, where the file holds it. */
  readonly preview: Preview | undefined
  readonly #description: ModelDescription

  constructor(executor: Executor, started: StartedPool) {
    super(executor.description.name, executor.metadata, executor, started)
    this.preview = executor.preview
    this.#description = executor.description
  }

  /** Kernels and their reasons, arithmetic of one image, memory: layer by layer. */
  describe(): ModelDescription {
    return this.#description
  }
}
