import type { PackedMetadata } from '../file/types.ts'
import { sizeOf } from '../plan/shape.ts'
import { ImageSession, type RunInput, type RunOptions, type RunResult } from './image-session.ts'
import { largeResultBytes, largeResults } from './large-results.ts'
import { type ImageRunner, runImageInto } from './run-images.ts'
import { runInTurns } from './run-in-turns.ts'
import type { StartedPool } from './threads/pool.ts'

/** What also spreads batches over threads. */
export class BatchSession extends ImageSession {
  /** Threads that `runBatch` spreads its images over; 1 is the calling one alone. */
  readonly threads: number
  /** Why so many: where fewer compute than were asked for, what hindered the others. */
  readonly threadsReason: string
  readonly #runner: ImageRunner
  readonly #pool: StartedPool['pool']

  constructor(name: string, metadata: PackedMetadata, runner: ImageRunner, { pool, reason }: StartedPool) {
    super(name, metadata, runner)
    this.threads = pool?.threads ?? 1
    this.threadsReason = reason
    this.#runner = runner
    this.#pool = pool
    const resultBytes = this.outputs.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
    if (resultBytes >= largeResultBytes) largeResults.prepareHost?.()
  }

  /**
   * Runs images as `run` does, bit for bit, on the session's threads. The calling thread is one of them, except on a page
   * that has workers; its event loop gets a turn every 10 ms or after every image. The input may be changed once the
   * promise is settled.
   * @throws SternaError `usage/input` as `run` does, `engine/failed` where a worker ended or the session is closed
   */
  async runBatch(input: RunInput, { into }: RunOptions = {}): Promise<RunResult> {
    const { images, inputs } = this.read(input)
    const results = this.takeResults(images, into)
    const run = (image: number): void => runImageInto(this.#runner, image, inputs, results)
    if (this.#pool === undefined) {
      let next = 0
      await runInTurns(images, () => next++, run)
    } else {
      const arrayOf = (data: Float32Array) => ({ data, size: data.length / images })
      await this.#pool.run({ images, inputs: inputs.map(arrayOf), outputs: results.map(arrayOf), run })
    }
    return this.collect(images, results)
  }

  /** Ends the session's workers. A process does not wait for them, so that this only frees memory. */
  close(): void {
    this.#pool?.close()
  }
}
