/** Workers that each hold a model, and the images they are given. */
import { SternaError } from '../../errors.ts'
import { runInTurns } from '../run-in-turns.ts'
import { host } from './host.ts'
import type { Answer, LoadMessage, Message, Thread } from './messages.ts'
import { type BatchArray, createSharedBatch, fill, takeImage } from './shared-batch.ts'

/** Without shared memory a batch is cut into so many parts for each worker: a slow one keeps the others waiting less. */
const partsPerWorker = 4

/** A batch: all images of each model input and output. */
export interface Batch {
  readonly images: number
  readonly inputs: readonly BatchArray[]
  /** Takes the results. */
  readonly outputs: readonly BatchArray[]
  /** Runs one image on the calling thread. */
  readonly run: (image: number) => void
}

interface Task {
  readonly message: Message
  readonly transfer: readonly ArrayBuffer[]
  readonly settle: (answer: Answer) => void
}

export interface StartedPool {
  /** undefined where the calling thread computes alone. */
  readonly pool: Pool | undefined
  /** Why it has the threads it has. */
  readonly reason: string
}

/**
 * Starts workers and has each load the network: none where this host has none, or where a page's security policy forbids
 * them.
 * @param threads that are to compute, the calling one among them where it takes part
 */
export async function startPool(threads: number, network: LoadMessage): Promise<StartedPool> {
  if (host.startThread === undefined) return { pool: undefined, reason: 'this host has no workers' }
  const callerComputes = host.callerComputes && typeof SharedArrayBuffer === 'function'
  const pool = new Pool(callerComputes)
  try {
    const workers = callerComputes ? threads - 1 : threads
    for (let i = 0; i < workers; i++) pool.add(host.startThread())
    await Promise.all(Array.from({ length: workers }, () => pool.send(network, [])))
    return { pool, reason: 'asked for' }
  } catch (error) {
    pool.close()
    const { message } = (error instanceof SternaError ? (error.cause ?? error) : error) as Error
    return { pool: undefined, reason: `a worker did not start: ${message}` }
  }
}

export class Pool {
  readonly #callerComputes: boolean
  readonly #workers: Thread[] = []
  readonly #idle: Thread[] = []
  readonly #running = new Map<Thread, Task>()
  #waiting: Task[] = []
  #failure: SternaError | undefined
  /** Shared memory that no batch is in. */
  #spare: Float32Array | undefined

  /** @param callerComputes whether the calling thread takes images of a batch too */
  constructor(callerComputes: boolean) {
    this.#callerComputes = callerComputes
  }

  /** How many threads compute. */
  get threads(): number {
    return this.#workers.length + (this.#callerComputes ? 1 : 0)
  }

  add(worker: Thread): void {
    this.#workers.push(worker)
    this.#idle.push(worker)
    worker.listen(answer => this.#settle(worker, answer))
  }

  /**
   * Runs a batch.
   * @throws SternaError `engine/failed` where a worker ended or the pool is closed
   */
  async run(batch: Batch): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (typeof SharedArrayBuffer === 'function') await this.#runShared(batch)
    else await this.#runParts(batch)
  }

  /**
   * Every thread sees all images and takes one after the other. Workers are woken before the images are copied, as
   * waking takes longer. A calling thread that only waited would leave its core to them too late: a system wakes both of
   * two workers on the other core, and moves one over some milliseconds after.
   */
  async #runShared({ images, inputs, outputs, run }: Batch): Promise<void> {
    const { batch, memory } = createSharedBatch(images, inputs, outputs, this.#spare)
    this.#spare = undefined
    const workers = Math.min(this.#workers.length, this.#callerComputes ? images - 1 : images)
    const answers = Array.from({ length: workers }, () => this.send({ batch }, []))
    fill(batch, inputs)
    const own = new Set<number>()
    const take = (): number => (this.#failure === undefined ? takeImage(batch) : images)
    const runOwn = (image: number): void => {
      own.add(image)
      run(image)
    }
    await Promise.all([this.#callerComputes && runInTurns(images, take, runOwn), ...answers])
    for (const [i, { data, size }] of outputs.entries()) {
      for (let image = 0; image < images; image++) {
        const start = image * size
        if (!own.has(image)) data.set(batch.outputs[i]!.subarray(start, start + size), start)
      }
    }
    this.#spare = memory
  }

  /** Every worker gets copies of some images, and more when it is done with those. */
  async #runParts({ images, inputs, outputs }: Batch): Promise<void> {
    const share = Math.ceil(images / Math.min(images, partsPerWorker * this.#workers.length))
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
  send(message: Message, transfer: readonly ArrayBuffer[]): Promise<Answer> {
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
    for (const worker of this.#workers) worker.end()
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
