/** An engine wherever it lives: lowers programs, checks them, and hands them to the thread that computes. */
import { SternaError, sameShape } from '../core/index.ts'
import { writeOnnx } from '../formats/onnx/index.ts'
import { EngineProgram } from './engine-program.ts'
import type { Lowering } from './lowering.ts'
import type { Engine, EngineDevice, Executable, LoweringName, Program } from './types.ts'
import type { EngineCalls } from './worker-protocol.ts'

/** The calls to an engine, and their end. */
export interface EngineClient extends EngineCalls {
  close(): Promise<void>
}

/** What was chosen for an engine, and why. */
export interface EngineSetup extends Pick<Engine, 'device' | 'reason' | 'threads' | 'loweringReason'> {
  readonly lowering: Lowering
}

export class ProgramEngine implements Engine {
  readonly device: EngineDevice
  readonly reason: string
  readonly threads: number
  readonly lowering: LoweringName
  readonly loweringReason: string
  readonly #client: EngineClient
  readonly #lowering: Lowering
  #count = 0

  constructor(client: EngineClient, { device, reason, threads, lowering, loweringReason }: EngineSetup) {
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
    const {
      model,
      outputs,
      state,
      orders,
      inPlace,
      fallbacks = [],
    } = this.#lowering.lower(program, this.device)
    const bytes = writeOnnx(model)
    const executable = this.#count++
    const description = {
      name: graph.name,
      model: bytes,
      parameters: graph.parameters.map(parameter => parameter.name),
      outputs,
      state,
      orders,
      inPlace: inPlace ?? new Set<string>(),
    }
    await this.#client.call('load', { executable, program: description }, `graph "${graph.name}"`, [
      bytes.buffer as ArrayBuffer,
    ])
    return new EngineProgram(this.#client, executable, graph, fallbacks)
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
