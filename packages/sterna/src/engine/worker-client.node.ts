/** The main thread's side of the worker: numbered requests, and one failure for all when the worker dies. */
import { Worker } from 'node:worker_threads'
import { SternaError } from '../core/index.ts'
import { RunGate, unwatchGate, watchGate } from './run-gate.node.ts'
import type {
  EngineCalls,
  WorkerCall,
  WorkerCalls,
  WorkerRequest,
  WorkerResponse,
} from './worker-protocol.ts'

interface Pending {
  readonly where: string
  readonly resolve: (result: WorkerCalls[WorkerCall]['result']) => void
  readonly reject: (error: SternaError) => void
}

export class WorkerClient implements EngineCalls {
  readonly #worker: Worker
  readonly #gate = new RunGate()
  readonly #pending = new Map<number, Pending>()
  #next = 0
  #ended: string | undefined

  constructor() {
    this.#worker = new Worker(new URL('./worker.node.js', import.meta.url), {
      name: 'sterna-engine',
      // A host started as `node --input-type=module -e …` would pass on flags that a worker's file refuses.
      execArgv: [],
      workerData: this.#gate.memory,
    })
    watchGate(this.#gate)
    this.#worker.unref()
    this.#worker.on('message', (response: WorkerResponse) => this.#settle(response))
    this.#worker.on('error', error => this.#end(error.message))
    this.#worker.on('exit', code => this.#end(`the worker ended with code ${code}`))
  }

  call<Call extends WorkerCall>(
    call: Call,
    request: WorkerCalls[Call]['request'],
    where: string,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<WorkerCalls[Call]['result']> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(failure(where, this.#ended))
        return
      }
      const id = this.#next++
      this.#pending.set(id, { where, resolve: resolve as Pending['resolve'], reject })
      // Only a worker with work to do keeps the process alive.
      if (this.#pending.size === 1) this.#worker.ref()
      this.#worker.postMessage({ id, call, request } as WorkerRequest, transfer)
    })
  }

  /** What waits is rejected at once; what runs is waited for. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    this.#gate.shut()
    const waiting = [...this.#pending]
    const idle = this.call('close', {}, 'engine')
    this.#ended = 'the engine has been closed'
    for (const [id, { where, reject }] of waiting) {
      this.#pending.delete(id)
      reject(failure(where, this.#ended))
    }
    // Rejected if the worker has ended by itself, which is as good.
    await idle.catch(() => undefined)
    unwatchGate(this.#gate)
    await this.#worker.terminate()
  }

  #settle(response: WorkerResponse): void {
    const pending = this.#pending.get(response.id)
    if (pending === undefined) return
    this.#pending.delete(response.id)
    if (this.#pending.size === 0) this.#worker.unref()
    if ('failure' in response) pending.reject(failure(pending.where, response.failure))
    else pending.resolve(response.result)
  }

  #end(reason: string): void {
    this.#ended ??= reason
    unwatchGate(this.#gate)
    for (const pending of this.#pending.values()) pending.reject(failure(pending.where, reason))
    this.#pending.clear()
    this.#worker.unref()
  }
}

function failure(where: string, message: string): SternaError {
  return new SternaError('engine/failed', `${where}: ${message}`)
}
