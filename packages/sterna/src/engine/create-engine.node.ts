/** Makes an engine: ONNX Runtime in a worker thread, so that the main thread stays free. */
import { availableParallelism } from 'node:os'
import { SternaError, sameShape } from '../core/index.ts'
import { writeOnnx } from '../formats/onnx/index.ts'
import { chooseDevice } from './choose-device.node.ts'
import { chooseLowering, type LoweringChoice } from './choose-lowering.node.ts'
import { EngineProgram } from './engine-program.ts'
import type { Lowering } from './lowering.ts'
import type { Engine, EngineDevice, Executable, LoweringName, Program } from './types.ts'
import { WorkerClient } from './worker-client.node.ts'

export interface EngineOptions {
  /** Default 'auto': WebGPU where a GPU is found that beats the CPU, else the CPU. */
  readonly device?: EngineDevice | 'auto'
  /** Threads of the CPU's kernels; default: as many as the process may use. Results depend on it in the last bits. */
  readonly threads?: number
  /**
   * Kernel threads wait for work without sleeping. Default false: some percent faster where nothing else runs, far
   * slower where something does, a loader of batches included. It changes no result.
   */
  readonly spin?: boolean
  /** Default 'auto': the fast one on a CPU where its self-test agrees with the standard one. */
  readonly lowering?: LoweringName | 'auto'
}

export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const threads = options.threads ?? availableParallelism()
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new SternaError('usage/option', `threads must be a whole number from 1 to 1024, found ${threads}`)
  }
  const { spin = false } = options
  const { device, reason } = await chooseDevice(options.device ?? 'auto')
  const client = new WorkerClient()
  try {
    await client.call('open', { device, threads, spin }, `engine ${device}`)
  } catch (cause) {
    throw new SternaError('engine/unavailable', `ONNX Runtime does not load: ${(cause as Error).message}`, {
      cause,
    })
  }
  try {
    const choice = await chooseLowering(options.lowering ?? 'auto', device, client)
    return new WorkerEngine(client, device, reason, threads, choice)
  } catch (error) {
    await client.close()
    throw error
  }
}

class WorkerEngine implements Engine {
  readonly device: EngineDevice
  readonly reason: string
  readonly threads: number
  readonly lowering: LoweringName
  readonly loweringReason: string
  readonly #client: WorkerClient
  readonly #lowering: Lowering
  #count = 0

  constructor(
    client: WorkerClient,
    device: EngineDevice,
    reason: string,
    threads: number,
    { lowering, reason: loweringReason }: LoweringChoice,
  ) {
    this.#client = client
    this.device = device
    this.reason = reason
    this.threads = threads
    this.lowering = lowering.name
    this.loweringReason = loweringReason
    this.#lowering = lowering
  }

  async load(program: Program): Promise<Executable> {
    const { graph } = program
    expectState(program)
    const { model, outputs, state, orders } = this.#lowering.lower(program, this.device)
    const bytes = writeOnnx(model)
    const executable = this.#count++
    const description = {
      name: graph.name,
      model: bytes,
      parameters: graph.parameters.map(parameter => parameter.name),
      outputs,
      state,
      orders,
    }
    await this.#client.call('load', { executable, program: description }, `graph "${graph.name}"`, [
      bytes.buffer as ArrayBuffer,
    ])
    return new EngineProgram(this.#client, executable, graph)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}

function expectState({ graph, state }: Program): void {
  const parameters = new Set(graph.parameters.map(parameter => parameter.name))
  for (const [name, output] of state) {
    const parameter = graph.values.get(name)
    const next = graph.values.get(output)
    if (parameter === undefined || !parameters.has(name) || next === undefined) {
      const missing = next === undefined ? `value is named "${output}"` : `parameter is named "${name}"`
      throw new SternaError('graph/unknown-value', `graph "${graph.name}", state "${name}": no ${missing}`)
    }
    if (parameter.dtype !== next.dtype || !sameShape(parameter.shape, next.shape)) {
      throw new SternaError(
        'graph/shape',
        `graph "${graph.name}", state "${name}" is [${parameter.shape}], its next value "${output}" is [${next.shape}]`,
      )
    }
  }
}
