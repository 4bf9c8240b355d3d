/** A program inside the worker: an ONNX Runtime session and the parameters it is fed. */
import type * as ort from 'onnxruntime-node'
import type { Tensor } from '../core/index.ts'
import type { OrtModule } from './ort-module.ts'
import { fromOrt, toOrt } from './ort-tensor.ts'
import type { ProgramState, StateFactory } from './program-state.ts'
import type { ProgramDescription, SessionChoice } from './worker-protocol.ts'

/**
 * For so long a thread without work waits awake, since waking it costs about as much. That bridges the gaps between small
 * operators (a tenth of a LeNet-5 step) and takes nothing from a busy machine; three times as long does.
 */
const shortWaitUs = '30'

/** The memory pattern doubles the peak of a training step and saves no time. */
export function sessionOptions({
  device,
  threads,
  spin,
  strict,
}: SessionChoice): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    enableMemPattern: false,
    logSeverityLevel: 4,
    extra: {
      session: {
        intra_op: { allow_spinning: '1', ...(!spin && { spin_duration_us: shortWaitUs }) },
        // Elementwise work is handed out in small blocks: a thread that wakes late, or shares its core, holds up nobody.
        dynamic_block_base: '4',
        disable_cpu_ep_fallback: strict && device !== 'cpu' ? '1' : '0',
      },
      // ONNX Runtime 1.30 merges a Pad into a pooling even where the sum of the pads is then refused.
      optimization: { disable_specified_optimizers: 'Pad_Fusion' },
    },
  }
}

export class LoadedProgram {
  readonly state: ProgramState
  readonly #runtime: OrtModule
  readonly #program: ProgramDescription
  readonly #session: ort.InferenceSession

  static async create(
    runtime: OrtModule,
    program: ProgramDescription,
    options: ort.InferenceSession.SessionOptions,
    createState: StateFactory,
  ): Promise<LoadedProgram> {
    const onDevice = new Set(program.state.values())
    const locations = [...onDevice, ...program.outputs.values()].map(
      name => [name, onDevice.has(name) ? 'gpu-buffer' : 'cpu'] as const,
    )
    const isGpu = options.executionProviders?.[0] === 'webgpu'
    const session = await runtime.InferenceSession.create(
      program.model,
      isGpu ? { ...options, preferredOutputLocation: Object.fromEntries(locations) } : options,
    )
    return new LoadedProgram(runtime, program, session, createState(program))
  }

  private constructor(
    runtime: OrtModule,
    program: ProgramDescription,
    session: ort.InferenceSession,
    state: ProgramState,
  ) {
    this.#runtime = runtime
    this.#program = program
    this.#session = session
    this.state = state
  }

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const feeds: Record<string, ort.Tensor> = { ...this.state.feeds() }
    for (const [name, value] of Object.entries(inputs)) feeds[name] = toOrt(this.#runtime, value)
    const fetches: Record<string, ort.Tensor | null> = { ...this.state.fetches() }
    for (const output of this.#program.outputs.values()) fetches[output] = null
    const results = await this.#session.run(feeds, fetches)
    this.state.advance(results)
    const outputs: Record<string, Tensor> = {}
    for (const [name, output] of this.#program.outputs) outputs[name] = fromOrt(results[output]!)
    return outputs
  }

  async release(): Promise<void> {
    await this.state.release()
    await this.#session.release()
  }
}
