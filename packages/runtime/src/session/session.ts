import type { Preview } from '../file/types.ts'
import type { ModelDescription } from '../plan/describe.ts'
import type { Executor } from './executor.ts'
import { ImageSession, type RunInput, type RunResult } from './image-session.ts'
import type { Pool } from './threads/pool.ts'

/** A loaded model. Its memory was taken when it was loaded; running allocates nothing but the results. */
export class Session extends ImageSession {
  /** Something to show for the network, where the file holds it. */
  readonly preview: Preview | undefined
  /** Workers that `runBatch` spreads its images over; 1 where it computes on the calling thread. */
  readonly threads: number
  readonly #executor: Executor
  readonly #pool: Pool | undefined

  constructor(executor: Executor, pool?: Pool) {
    super(executor.description.name, executor.metadata, executor)
    this.preview = executor.preview
    this.threads = pool?.threads ?? 1
    this.#executor = executor
    this.#pool = pool
  }

  /**
   * Runs images as `run` does, bit for bit, on the session's workers. The input may be changed once the promise is
   * settled.
   * @throws SternaError `usage/input` as `run` does, `engine/failed` where a worker ended or the session is closed
   */
  async runBatch(input: RunInput): Promise<RunResult> {
    if (this.#pool === undefined) return this.run(input)
    const { images, inputs, results } = this.prepare(input)
    const outputs = results.map(({ data }) => ({ data, size: data.length / images }))
    await this.#pool.run(
      images,
      inputs.map(data => ({ data, size: data.length / images })),
      outputs,
    )
    return this.collect(results)
  }

  /** Ends the session's workers. A process does not wait for them, so that this only frees memory. */
  close(): void {
    this.#pool?.close()
  }

  /** Kernels and their reasons, arithmetic of one image, memory: layer by layer. */
  describe(): ModelDescription {
    return this.#executor.description
  }
}
