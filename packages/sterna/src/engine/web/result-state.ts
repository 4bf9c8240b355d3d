/** Parameters in WebAssembly's host: what a run returns is what the next run is fed. */
import type * as ort from 'onnxruntime-node'
import type { Tensor } from '../../core/index.ts'
import type { OrtModule } from '../ort-module.ts'
import { fromOrt, toOrt } from '../ort-tensor.ts'
import type { ProgramState } from '../program-state.ts'
import type { ProgramDescription } from '../worker-protocol.ts'

/** onnxruntime-web does not write into tensors it is given for its results. */
export class ResultState implements ProgramState {
  readonly #runtime: OrtModule
  readonly #program: ProgramDescription
  readonly #current: Record<string, ort.Tensor> = {}

  constructor(runtime: OrtModule, program: ProgramDescription) {
    this.#runtime = runtime
    this.#program = program
  }

  async set(name: string, { dtype, shape, data }: Tensor): Promise<void> {
    this.#current[name] = toOrt(this.#runtime, { dtype, shape, data: data.slice() })
  }

  async get(name: string): Promise<Tensor> {
    const { dtype, shape, data } = fromOrt(this.#current[name]!)
    return { dtype, shape, data: data.slice() }
  }

  async copyFrom(other: ProgramState, name: string): Promise<void> {
    await this.set(name, await other.get(name))
  }

  feeds(): Readonly<Record<string, ort.Tensor>> {
    return this.#current
  }

  fetches(): Readonly<Record<string, null>> {
    return Object.fromEntries([...this.#program.state.values()].map(output => [output, null]))
  }

  advance(results: Readonly<Record<string, ort.Tensor>>): void {
    for (const [name, output] of this.#program.state) this.#current[name] = results[output]!
  }

  async release(): Promise<void> {
    for (const name of Object.keys(this.#current)) delete this.#current[name]
  }
}
