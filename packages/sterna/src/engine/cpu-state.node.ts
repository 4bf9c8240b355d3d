/** Parameters in CPU memory: a run reads one buffer and writes the other, then they change places. */
import * as ort from 'onnxruntime-node'
import type { Tensor } from '../core/index.ts'
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
    this.#next[output] ??= toOrt(ort, order === undefined ? copyOf(value) : value)
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

  advance(): void {
    for (const [name, output] of this.#program.state) {
      const written = this.#next[output]!
      this.#next[output] = this.#current[name]!
      this.#current[name] = written
    }
  }

  async release(): Promise<void> {
    for (const held of [this.#current, this.#next]) {
      for (const name of Object.keys(held)) delete held[name]
    }
  }
}
