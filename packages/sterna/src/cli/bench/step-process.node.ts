/** A child process that trains when asked: one line of JSON there, one back. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { SternaError } from '../../core/index.ts'
import type { StepCall, StepCalls } from './step-protocol.ts'

/** What a process says on stderr is kept up to this length, for the message when it fails. */
const keptCharacters = 2000

export class StepProcess {
  readonly #name: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  readonly #ended: Promise<unknown>
  #complaint = ''

  constructor(name: string, file: string, args: readonly string[]) {
    this.#name = name
    this.#child = spawn(file, args, { stdio: 'pipe' })
    // An error of `spawn` also ends stdout, where it is reported.
    this.#child.on('error', error => {
      this.#complaint += error.message
    })
    this.#ended = once(this.#child, 'close').catch(() => undefined)
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-keptCharacters)
    })
    // A process that has ended refuses what is written; its missing reply says so.
    this.#child.stdin.on('error', () => undefined)
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** `data` follows the request's line as it is. */
  async call<Call extends StepCall>(
    call: Call,
    request: StepCalls[Call]['request'],
    data: readonly Float32Array[] = [],
  ): Promise<StepCalls[Call]['reply']> {
    const dataBytes = data.reduce((sum, { byteLength }) => sum + byteLength, 0)
    this.#child.stdin.write(`${JSON.stringify({ call, ...request, dataBytes })}\n`)
    for (const { buffer, byteOffset, byteLength } of data)
      this.#child.stdin.write(new Uint8Array(buffer, byteOffset, byteLength))
    const { value, done } = await this.#lines.next()
    if (done) {
      await this.#ended
      throw this.#failed(`ended: ${this.#complaint.trim().split('\n').at(-1) || 'without a word'}`)
    }
    try {
      return JSON.parse(value) as StepCalls[Call]['reply']
    } catch {
      throw this.#failed(`expected a line of JSON, found ${JSON.stringify(value.slice(0, 80))}`)
    }
  }

  async close(): Promise<void> {
    this.#child.stdin.end()
    this.#child.kill()
    await this.#ended
  }

  #failed(what: string): SternaError {
    return new SternaError('engine/failed', `${this.#name}: ${what}`, {
      ...(this.#complaint !== '' && { detail: { stderr: this.#complaint } }),
    })
  }
}
