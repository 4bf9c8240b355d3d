/** Makes an engine: ONNX Runtime in a worker thread, so that the main thread stays free. */
import { availableParallelism } from 'node:os'
import { SternaError } from '../core/index.ts'
import { chooseDevice } from './choose-device.node.ts'
import { chooseLowering } from './choose-lowering.node.ts'
import { withStateInPlace } from './in-place/index.ts'
import { ProgramEngine } from './program-engine.ts'
import type { Engine, EngineDevice, LoweringName } from './types.ts'
import { WorkerClient } from './worker-client.node.ts'

export interface EngineOptions {
  /** Default 'auto': WebGPU where a GPU is found that beats the CPU, else the CPU. */
  readonly device?: EngineDevice | 'auto'
  /** Threads of the CPU's kernels; default: as many as the process may use. Results depend on it in the last bits. */
  readonly threads?: number
  /**
   * Kernel threads wait for work without sleeping. Default false, when they fall asleep after 30 µs: as fast or a little
   * slower where nothing else runs, far faster where something does, a loader of batches included. It changes no result.
   */
  readonly spin?: boolean
  /** Default 'auto': the fast one on a CPU where its self-test agrees with the standard one. */
  readonly lowering?: LoweringName | 'auto'
  /** Where a GPU computes, refuses graphs of which part would run on the CPU. Default false: that part just does. */
  readonly strict?: boolean
}

export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const threads = options.threads ?? availableParallelism()
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new SternaError('usage/option', `threads must be a whole number from 1 to 1024, found ${threads}`)
  }
  const { spin = false, strict = false } = options
  const { device, reason } = await chooseDevice(options.device ?? 'auto')
  const client = new WorkerClient()
  try {
    await client.call('open', { device, threads, spin, strict }, `engine ${device}`)
  } catch (cause) {
    throw new SternaError('engine/unavailable', `ONNX Runtime does not load: ${(cause as Error).message}`, {
      cause,
    })
  }
  try {
    const { lowering, loweringReason } = await chooseLowering(options.lowering ?? 'auto', device, client)
    return new ProgramEngine(client, {
      device,
      reason,
      threads,
      lowering: device === 'cpu' ? withStateInPlace(lowering) : lowering,
      loweringReason,
    })
  } catch (error) {
    await client.close()
    throw error
  }
}
