/**
 * Parameters on the GPU: a run leaves its results there and they are fed to the next run. Reading a GPU
 * tensor directly aborts the process in onnxruntime-node 1.30, so tensors cross through small sessions that
 * do nothing but Identity.
 */
import type * as ort from 'onnxruntime-node'
import type { DType, Tensor } from '../core/index.ts'
import { writeOnnx } from '../formats/onnx/index.ts'
import type { OrtModule } from './ort-module.ts'
import { fromOrt, toOrt } from './ort-tensor.ts'
import type { ProgramState } from './program-state.ts'
import type { ProgramDescription } from './worker-protocol.ts'

export class GpuTransfer {
  readonly #runtime: OrtModule
  readonly #options: ort.InferenceSession.SessionOptions
  readonly #sessions = new Map<string, Promise<ort.InferenceSession>>()

  constructor(runtime: OrtModule, options: ort.InferenceSession.SessionOptions) {
    this.#runtime = runtime
    this.#options = options
  }

  toDevice(value: Tensor): Promise<ort.Tensor> {
    return this.copy(toOrt(this.#runtime, value), value.dtype)
  }

  /** From the device to other memory of it. */
  async copy(value: ort.Tensor, dtype: DType): Promise<ort.Tensor> {
    return (await (await this.#session(dtype, 'gpu-buffer')).run({ x: value })).y!
  }

  async toCpu(value: ort.Tensor, dtype: DType): Promise<Tensor> {
    return fromOrt((await (await this.#session(dtype, 'cpu')).run({ x: value })).y!)
  }

  async release(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).release()
    this.#sessions.clear()
  }

  #session(dtype: DType, location: 'gpu-buffer' | 'cpu'): Promise<ort.InferenceSession> {
    const key = `${dtype} ${location}`
    let session = this.#sessions.get(key)
    if (session === undefined) {
      const identity = {
        opType: 'Identity',
        domain: '',
        name: 'copy',
        inputs: ['x'],
        outputs: ['y'],
        attributes: {},
      }
      const model = writeOnnx({
        irVersion: 10,
        producer: 'sterna',
        opsets: [{ domain: '', version: 21 }],
        graph: {
          name: 'transfer',
          nodes: [identity],
          initializers: new Map(),
          inputs: [{ name: 'x', dtype }],
          outputs: [{ name: 'y', dtype }],
        },
      })
      session = this.#runtime.InferenceSession.create(model, {
        ...this.#options,
        preferredOutputLocation: location,
      })
      this.#sessions.set(key, session)
    }
    return session
  }
}

export class GpuState implements ProgramState {
  readonly #program: ProgramDescription
  readonly #transfer: GpuTransfer
  readonly #current: Record<string, ort.Tensor> = {}
  readonly #dtypes = new Map<string, DType>()

  constructor(program: ProgramDescription, transfer: GpuTransfer) {
    this.#program = program
    this.#transfer = transfer
  }

  async set(name: string, value: Tensor): Promise<void> {
    this.#replace(name, await this.#transfer.toDevice(value))
    this.#dtypes.set(name, value.dtype)
  }

  async get(name: string): Promise<Tensor> {
    return this.#transfer.toCpu(this.#current[name]!, this.#dtypes.get(name)!)
  }

  async copyFrom(other: ProgramState, name: string): Promise<void> {
    const dtype = other instanceof GpuState ? other.#dtypes.get(name)! : 'f32'
    this.#replace(name, await this.#transfer.copy(other.feeds()[name]!, dtype))
    this.#dtypes.set(name, dtype)
  }

  feeds(): Readonly<Record<string, ort.Tensor>> {
    return this.#current
  }

  fetches(): Readonly<Record<string, null>> {
    return Object.fromEntries([...this.#program.state.values()].map(output => [output, null]))
  }

  advance(results: Readonly<Record<string, ort.Tensor>>): void {
    for (const [name, output] of this.#program.state) this.#replace(name, results[output]!)
  }

  async release(): Promise<void> {
    for (const name of Object.keys(this.#current)) {
      this.#current[name]!.dispose()
      delete this.#current[name]
    }
  }

  #replace(name: string, value: ort.Tensor): void {
    this.#current[name]?.dispose()
    this.#current[name] = value
  }
}
