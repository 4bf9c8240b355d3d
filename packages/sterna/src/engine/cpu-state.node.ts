/**
 * Parameters in CPU memory: a run reads one buffer and writes the other, then they change places; or it overwrites the
 * one there is, where the program allows that.
 */
import * as ort from 'onnxruntime-node'
import type { Tensor } from '../core/index.ts'
import { freeMemory } from './free-memory.node.ts'
import { fromMemoryOrder, toMemoryOrder } from './memory-order.ts'
import { fromOrt, toOrt } from './ort-tensor.ts'
import type { ProgramState } from './program-state.ts'
import type { ProgramDescription } from './worker-protocol.ts'

function copyOf({ dtype, shape, data }: Tensor): Tensor {
  return { dtype, shape, data: data.slice() }
}

export class CpuState implements ProgramState {
  readonly #program: ProgramDescription
  readonly #current: Record<string, ort.Tensor> = {}
  /** By ONNX output. */
  readonly #next: Record<string, ort.Tensor> = {}

  constructor(program: ProgramDescription) {
    this.#program = program
  }

  /** Takes over the value's memory: what comes from another thread is a copy already. */
  async set(name: string, value: Tensor): Promise<void> {
    const order = this.#program.orders.get(name)
    const held = order === undefined ? value : toMemoryOrder(value, order)
    this.#current[name] = toOrt(ort, held)
    const output = this.#program.state.get(name)
    if (output === undefined) return
    if (this.#program.inPlace.has(name)) this.#next[output] = this.#current[name]
    else this.#next[output] ??= toOrt(ort, order === undefined ? copyOf(value) : value)
  }

  async get(name: string): Promise<Tensor> {
    const held = fromOrt(this.#current[name]!)
    const order = this.#program.orders.get(name)
    return order === undefined ? copyOf(held) : fromMemoryOrder(held, order)
  }

  async copyFrom(other: ProgramState, name: string): Promise<void> {
    await this.set(name, await other.get(name))
  }

  feeds(): Readonly<Record<string, ort.Tensor>> {
    return this.#current
  }

  fetches(): Readonly<Record<string, ort.Tensor | null>> {
    return this.#next
  }

  /** ONNX Runtime returns copies of what it has written into the buffers it was given; nobody needs them. */
  advance(results: Readonly<Record<string, ort.Tensor>>): void {
    const copies: ArrayBufferView[] = []
    for (const [name, output] of this.#program.state) {
      const written = this.#next[output]!
      const returned = results[output]!.data as ArrayBufferView
      if (returned.buffer !== (written.data as ArrayBufferView).buffer) copies.push(returned)
      this.#next[output] = this.#current[name]!
      this.#current[name] = written
    }
    freeMemory(copies)
  }

  async release(): Promise<void> {
    for (const held of [this.#current, this.#next]) {
      for (const name of Object.keys(held)) delete held[name]
    }
  }
}
