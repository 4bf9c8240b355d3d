/** Decides where an engine runs, and says why. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { SternaError } from '../core/index.ts'
import type { EngineDevice } from './types.ts'

export interface DeviceChoice {
  readonly device: EngineDevice
  readonly reason: string
}

type Probe = { readonly gpuMs: number; readonly cpuMs: number } | { readonly failure: string }

type GpuDevice = Exclude<EngineDevice, 'cpu'>

const hints: Readonly<Record<GpuDevice, string>> = {
  webgpu: 'use the device cpu',
  cuda:
    'install CUDA 12 with cuDNN 9, then, on Linux x64, its part of ONNX Runtime: ' +
    'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false',
}

/** WebGPU must win by this factor on large convolutions, for small operators cost it more. */
const worthwhileFactor = 2
const probeTimeoutMs = 15_000

export async function chooseDevice(wanted: EngineDevice | 'auto'): Promise<DeviceChoice> {
  if (wanted === 'cpu') return { device: 'cpu', reason: 'as asked' }
  const device = wanted === 'auto' ? 'webgpu' : wanted
  const probe = await probeDevice(device)
  if ('failure' in probe) {
    if (wanted === 'auto') return { device: 'cpu', reason: `no WebGPU: ${probe.failure}` }
    throw new SternaError('engine/unavailable', `device ${device}: ${probe.failure}`, { hint: hints[device] })
  }
  if (wanted !== 'auto') return { device, reason: 'as asked' }
  const comparison = `a test network takes ${milliseconds(probe.gpuMs)} on WebGPU, ${milliseconds(probe.cpuMs)} on the CPU`
  const isFaster = probe.gpuMs * worthwhileFactor <= probe.cpuMs
  return { device: isFaster ? 'webgpu' : 'cpu', reason: comparison }
}

/** Asks a child process, which may crash without harm. */
export function probeDevice(device: GpuDevice): Promise<Probe> {
  const program = fileURLToPath(new URL('./gpu-probe.node.js', import.meta.url))
  return new Promise(resolve => {
    execFile(
      process.execPath,
      [program, device],
      { timeout: probeTimeoutMs, encoding: 'utf8' },
      (error, stdout) => {
        const answer = readProbe(stdout)
        if (answer !== undefined)
          resolve('failure' in answer ? { failure: readable(answer.failure) } : answer)
        else
          resolve({
            failure: error?.killed ? 'the probe did not answer' : 'the probe ended without an answer',
          })
      },
    )
  })
}

function readProbe(line: string): Probe | undefined {
  try {
    const answer: Probe = JSON.parse(line)
    return answer
  } catch {
    return undefined
  }
}

function readable(message: string): string {
  if (message.includes('No supported adapters')) return 'no GPU adapter was found'
  if (message.includes('Failed to load shared library')) return 'its libraries do not load'
  return message.split('\n', 1)[0]!
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toPrecision(2) : Math.round(value)} ms`
}
