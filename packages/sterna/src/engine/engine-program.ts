/** The user's side of a loaded program: checks what goes in, so that errors name the tensor. */
import { type DTypeArrays, SternaError, sameShape, type Tensor } from '../core/index.ts'
import type { Graph, Value } from '../graph/index.ts'
import type { Executable, Fallback } from './types.ts'
import type { EngineCalls } from './worker-protocol.ts'

/** Buffers of one size kept for later runs. */
const keptBuffers = 4

export class EngineProgram implements Executable {
  readonly fallbacks: readonly Fallback[]
  readonly #client: EngineCalls
  readonly #number: number
  readonly #graph: Graph
  readonly #where: string
  readonly #parameters: ReadonlyMap<string, Value>
  readonly #unset: Set<string>
  readonly #buffers = new Map<number, ArrayBuffer[]>()

  constructor(client: EngineCalls, executable: number, graph: Graph, fallbacks: readonly Fallback[]) {
    this.fallbacks = fallbacks
    this.#client = client
    this.#number = executable
    this.#graph = graph
    this.#where = `graph "${graph.name}"`
    this.#parameters = new Map(graph.parameters.map(parameter => [parameter.name, parameter]))
    this.#unset = new Set(this.#parameters.keys())
  }

  async setState(tensors: ReadonlyMap<string, Tensor>): Promise<void> {
    for (const [name, value] of tensors) this.#expect(this.#parameter(name), value, 'parameter')
    for (const name of tensors.keys()) this.#unset.delete(name)
    // One by one and moved: a message of all of them would hold every parameter three times for a while.
    const calls = [...tensors].map(([name, value]) => {
      const copy = this.#copy(value)
      const request = { executable: this.#number, tensors: new Map([[name, copy]]) }
      return this.#client.call('setState', request, this.#where, [copy.data.buffer as ArrayBuffer])
    })
    await Promise.all(calls)
  }

  async getState(names: Iterable<string> = this.#parameters.keys()): Promise<Map<string, Tensor>> {
    const wanted = [...names]
    this.#expectSet(wanted)
    return this.#client.call('getState', { executable: this.#number, names: wanted }, this.#where)
  }

  async copyStateFrom(other: Executable, names: Iterable<string>): Promise<void> {
    if (!(other instanceof EngineProgram) || other.#client !== this.#client) {
      throw new SternaError(
        'engine/failed',
        `${this.#where}: state is copied between programs of one engine only`,
      )
    }
    const wanted = [...names]
    other.#expectSet(wanted)
    for (const name of wanted) {
      const source = other.#parameter(name)
      const target = this.#parameter(name)
      if (source.dtype !== target.dtype || !sameShape(source.shape, target.shape)) {
        throw new SternaError(
          'graph/shape',
          `${this.#where}: parameter "${name}" is ${target.dtype} [${target.shape}], in ${other.#where} it is ${source.dtype} [${source.shape}]`,
        )
      }
    }
    for (const name of wanted) this.#unset.delete(name)
    const request = { executable: this.#number, from: other.#number, names: wanted }
    await this.#client.call('copyState', request, this.#where)
  }

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    this.#expectSet(this.#parameters.keys())
    const sent: Record<string, Tensor> = {}
    const moved: ArrayBuffer[] = []
    for (const input of this.#graph.inputs) {
      const given = inputs[input.name]
      if (given === undefined) {
        throw new SternaError('graph/unknown-value', `${this.#where}: input "${input.name}" is missing`)
      }
      this.#expect(input, given, 'input')
      const copy = this.#copy(given)
      sent[input.name] = copy
      moved.push(copy.data.buffer as ArrayBuffer)
    }
    const request = { executable: this.#number, inputs: sent }
    const { outputs, inputs: returned } = await this.#client.call('run', request, this.#where, moved)
    for (const { data } of returned) this.#keep(data.buffer as ArrayBuffer)
    return outputs
  }

  async release(): Promise<void> {
    await this.#client.call('release', { executable: this.#number }, this.#where)
  }

  /** One copy, into memory that is then moved to the worker and comes back with the result. */
  #copy({ dtype, shape, data }: Tensor): Tensor {
    const buffer = this.#buffers.get(data.byteLength)?.pop() ?? new ArrayBuffer(data.byteLength)
    const TypedArray = data.constructor as new (buffer: ArrayBuffer) => DTypeArrays[typeof dtype]
    new Uint8Array(buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    return { dtype, shape, data: new TypedArray(buffer) }
  }

  #keep(buffer: ArrayBuffer): void {
    const kept = this.#buffers.get(buffer.byteLength) ?? []
    if (kept.length < keptBuffers) kept.push(buffer)
    this.#buffers.set(buffer.byteLength, kept)
  }

  #parameter(name: string): Value {
    const parameter = this.#parameters.get(name)
    if (parameter === undefined) {
      throw new SternaError('graph/unknown-value', `${this.#where}: no parameter is named "${name}"`)
    }
    return parameter
  }

  #expectSet(names: Iterable<string>): void {
    for (const name of names) {
      this.#parameter(name)
      if (this.#unset.has(name)) {
        throw new SternaError('graph/unknown-value', `${this.#where}: parameter "${name}" has not been set`)
      }
    }
  }

  #expect(expected: Value, found: Tensor, role: string): void {
    if (found.dtype === expected.dtype && sameShape(found.shape, expected.shape)) return
    throw new SternaError(
      'graph/shape',
      `${this.#where}: ${role} "${expected.name}" must be ${expected.dtype} [${expected.shape}], found ${found.dtype} [${found.shape}]`,
    )
  }
}
