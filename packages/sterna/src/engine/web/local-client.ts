/** Calls to an engine in this very thread: one after the other, in their order. */
import { SternaError } from '../../core/index.ts'
import type { EngineClient } from '../program-engine.ts'
import type { ProgramHost, ProgramRequest } from '../program-host.ts'
import type { WorkerCall, WorkerCalls } from '../worker-protocol.ts'

export class LocalClient implements EngineClient {
  readonly #host: ProgramHost
  readonly #release: () => Promise<void>
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false

  /** `release` frees what the host's programs share. */
  constructor(host: ProgramHost, release: () => Promise<void>) {
    this.#host = host
    this.#release = release
  }

  call<Call extends WorkerCall>(
    call: Call,
    request: WorkerCalls[Call]['request'],
    where: string,
  ): Promise<WorkerCalls[Call]['result']> {
    const done = this.#last.then(async () => {
      try {
        if (this.#isClosed) throw new Error('the engine has been closed')
        const { result } = await this.#host.answer({ id: 0, call, request } as ProgramRequest)
        return result as WorkerCalls[Call]['result']
      } catch (cause) {
        throw new SternaError('engine/failed', `${where}: ${messageOf(cause)}`, { cause })
      }
    })
    // Who called hears of the failure; the next call begins all the same.
    this.#last = done.catch(() => undefined)
    return done
  }

  /** What waits is rejected; what runs is waited for. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#last
    await this.#host.release()
    await this.#release()
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
