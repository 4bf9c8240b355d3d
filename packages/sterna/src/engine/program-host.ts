/** Holds loaded programs and does what is asked of them: the engine itself, in whichever thread it lives. */
import type * as ort from 'onnxruntime-node'
import { LoadedProgram } from './loaded-program.ts'
import type { OrtModule } from './ort-module.ts'
import type { StateFactory } from './program-state.ts'
import type { WorkerCalls, WorkerRequest } from './worker-protocol.ts'

export type ProgramRequest = Exclude<WorkerRequest, { call: 'open' | 'close' }>

export interface Answer {
  readonly result: WorkerCalls[ProgramRequest['call']]['result']
  /** Memory that may be moved to the asking thread. */
  readonly transfer?: ArrayBuffer[]
}

export class ProgramHost {
  readonly #runtime: OrtModule
  readonly #options: ort.InferenceSession.SessionOptions
  readonly #createState: StateFactory
  readonly #programs = new Map<number, LoadedProgram>()

  constructor(runtime: OrtModule, options: ort.InferenceSession.SessionOptions, createState: StateFactory) {
    this.#runtime = runtime
    this.#options = options
    this.#createState = createState
  }

  async answer(message: ProgramRequest): Promise<Answer> {
    switch (message.call) {
      case 'load': {
        const { executable, program } = message.request
        this.#programs.set(
          executable,
          await LoadedProgram.create(this.#runtime, program, this.#options, this.#createState),
        )
        return { result: null }
      }
      case 'setState': {
        const { state } = this.#programOf(message.request.executable)
        for (const [name, value] of message.request.tensors) await state.set(name, value)
        return { result: null }
      }
      case 'getState': {
        const { state } = this.#programOf(message.request.executable)
        const result: WorkerCalls['getState']['result'] = new Map()
        for (const name of message.request.names) result.set(name, await state.get(name))
        return { result, transfer: [...result.values()].map(value => value.data.buffer as ArrayBuffer) }
      }
      case 'copyState': {
        const { state } = this.#programOf(message.request.executable)
        const from = this.#programOf(message.request.from).state
        for (const name of message.request.names) await state.copyFrom(from, name)
        return { result: null }
      }
      case 'run': {
        const inputs = Object.values(message.request.inputs)
        const outputs = await this.#programOf(message.request.executable).run(message.request.inputs)
        const moved = [...inputs, ...Object.values(outputs)].map(value => value.data.buffer as ArrayBuffer)
        return { result: { outputs, inputs }, transfer: moved }
      }
      case 'release': {
        const program = this.#programOf(message.request.executable)
        this.#programs.delete(message.request.executable)
        await program.release()
        return { result: null }
      }
      default:
        return message satisfies never
    }
  }

  /** Of all programs. */
  async release(): Promise<void> {
    for (const program of this.#programs.values()) await program.release()
    this.#programs.clear()
  }

  #programOf(executable: number): LoadedProgram {
    const program = this.#programs.get(executable)
    if (program === undefined) throw new Error('the executable has been released')
    return program
  }
}
