/** Workers that each hold a model, and the images they are given. */
import { SternaError } from '../../errors.ts'
import type { PackedModel } from '../../file/types.ts'
import type { ComputeOptions } from '../open.ts'
import { host } from './host.ts'
import type { Answer, LoadMessage, RunMessage, Thread } from './messages.ts'

/** Without shared memory a batch is cut into so many parts for each worker: a slow one keeps the others waiting less. */
const partsPerThread = 4

/** A cache line: threads do not wait for each other's, and copies to shared memory are fast only if aligned. */
const lineFloats = 16

/** One model input or output of a batch: all its images, and how many numbers one takes. */
export interface Batch {
  readonly data: Float32Array
  readonly size: number
}

interface Task {
  readonly message: LoadMessage | RunMessage
  readonly transfer: readonly ArrayBuffer[]
  readonly settle: (answer: Answer) => void
}

/**
 * Starts workers and has each load the model.
 * @returns undefined where this host starts none, because it has none or a page's security policy forbids them
 */
export async function startPool(
  threads: number,
  model: PackedModel,
  options: ComputeOptions,
): Promise<Pool | undefined> {
  if (host.startThread === undefined) return undefined
  const pool = new Pool()
  try {
    for (let i = 0; i < threads; i++) pool.add(host.startThread())
    await Promise.all(Array.from({ length: threads }, () => pool.send({ model, options }, [])))
    return pool
  } catch {
    pool.close()
    return undefined
  }
}

export class Pool {
  readonly #threads: Thread[] = []
  readonly #idle: Thread[] = []
  readonly #running = new Map<Thread, Task>()
  #waiting: Task[] = []
  #failure: SternaError | undefined
  /** Shared memory that no batch is in. */
  #spare: Float32Array | undefined

  get threads(): number {
    return this.#threads.length
  }

  add(thread: Thread): void {
    this.#threads.push(thread)
    this.#idle.push(thread)
    thread.listen(answer => this.#settle(thread, answer))
  }

  /**
   * Runs a batch; `outputs` is filled.
   * @throws SternaError `engine/failed` where a worker ended or the pool is closed
   */
  async run(images: number, inputs: readonly Batch[], outputs: readonly Batch[]): Promise<void> {
    if (typeof SharedArrayBuffer === 'function') await this.#runShared(images, inputs, outputs)
    else await this.#runParts(images, inputs, outputs)
  }

  /** Every worker sees all images and takes one after the other. */
  async #runShared(images: number, inputs: readonly Batch[], outputs: readonly Batch[]): Promise<void> {
    const roomOf = ({ data }: Batch): number => Math.ceil(data.length / lineFloats) * lineFloats
    const memory = this.#takeShared(
      [...inputs, ...outputs].reduce((sum, batch) => sum + roomOf(batch), lineFloats),
    )
    const next = new Int32Array(memory.buffer, 0, 1)
    next[0] = 0
    let end = lineFloats
    const [shared, results] = [inputs, outputs].map(batches =>
      batches.map(batch => {
        const start = end
        end += roomOf(batch)
        return memory.subarray(start, start + batch.data.length)
      }),
    ) as [Float32Array[], Float32Array[]]
    for (const [i, { data }] of inputs.entries()) shared[i]!.set(data)
    const message = { images, inputs: shared, shared: { outputs: results, next } }
    await Promise.all(this.#threads.map(() => this.send(message, [])))
    for (const [i, { data }] of outputs.entries()) data.set(results[i]!)
    this.#spare = memory
  }

  /** Memory fresh from the system costs more than what is copied into it, so that of the last batch is used again. */
  #takeShared(length: number): Float32Array {
    const spare = this.#spare
    this.#spare = undefined
    if (spare !== undefined && spare.length >= length) return spare
    return new Float32Array(new SharedArrayBuffer(4 * length))
  }

  /** Every worker gets copies of some images, and more when it is done with those. */
  async #runParts(images: number, inputs: readonly Batch[], outputs: readonly Batch[]): Promise<void> {
    const share = Math.ceil(images / Math.min(images, partsPerThread * this.threads))
    const starts = Array.from({ length: Math.ceil(images / share) }, (_, part) => part * share)
    await Promise.all(
      starts.map(async first => {
        const count = Math.min(share, images - first)
        const copies = inputs.map(({ data, size }) => data.slice(first * size, (first + count) * size))
        const answer = await this.send(
          { images: count, inputs: copies },
          copies.map(({ buffer }) => buffer),
        )
        for (const [i, data] of answer.outputs!.entries())
          outputs[i]!.data.set(data, first * outputs[i]!.size)
      }),
    )
  }

  /** Sends a message to the next worker that is idle. */
  send(message: LoadMessage | RunMessage, transfer: readonly ArrayBuffer[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure)
        return
      }
      const settle = (answer: Answer): void => {
        if (answer.error === undefined) resolve(answer)
        else reject(failed(answer.error))
      }
      this.#waiting.push({ message, transfer, settle })
      this.#next()
    })
  }

  /** Ends the workers; what they were doing fails. */
  close(): void {
    this.#fail(failed(new Error('the session was closed')))
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#idle.length > 0) {
      const thread = this.#idle.shift()!
      const task = this.#waiting.shift()!
      this.#running.set(thread, task)
      thread.hold(true)
      thread.post(task.message, task.transfer)
    }
  }

  #settle(thread: Thread, answer: Answer): void {
    const task = this.#running.get(thread)
    // Between tasks a worker says nothing unless it ended.
    if (task === undefined) {
      if (answer.error !== undefined) this.#fail(failed(answer.error))
      return
    }
    this.#running.delete(thread)
    thread.hold(false)
    task.settle(answer)
    if (answer.error === undefined) {
      this.#idle.push(thread)
      this.#next()
    } else {
      this.#fail(failed(answer.error))
    }
  }

  #fail(failure: SternaError): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    for (const thread of this.#threads) thread.end()
    for (const task of [...this.#running.values(), ...this.#waiting]) task.settle({ error: failure })
    this.#running.clear()
    this.#waiting = []
  }
}

const failed = (cause: unknown): SternaError =>
  cause instanceof SternaError
    ? cause
    : new SternaError('engine/failed', `a worker of this session failed: ${(cause as Error).message}`, {
        cause,
      })
