/** Decides where an engine runs, and says why. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { SternaError } from '../core/index.ts'
import type { EngineDevice } from './types.ts'

export interface DeviceChoice {
  readonly device: EngineDevice
  readonly reason: string
}

type Probe = { readonly webgpuMs: number; readonly cpuMs: number } | { readonly failure: string }

/** WebGPU must win by this factor on large convolutions, for small operators cost it more. */
const worthwhileFactor = 2
const probeTimeoutMs = 15_000

export async function chooseDevice(wanted: EngineDevice | 'auto'): Promise<DeviceChoice> {
  if (wanted === 'cpu') return { device: 'cpu', reason: 'as asked' }
  const probe = await probeWebgpu()
  if ('failure' in probe) {
    if (wanted === 'auto') return { device: 'cpu', reason: `no WebGPU: ${probe.failure}` }
    throw new SternaError('engine/unavailable', `device webgpu: ${probe.failure}`, {
      hint: 'use the device cpu',
    })
  }
  if (wanted === 'webgpu') return { device: 'webgpu', reason: 'as asked' }
  const comparison = `a test network takes ${milliseconds(probe.webgpuMs)} on WebGPU, ${milliseconds(probe.cpuMs)} on the CPU`
  const isFaster = probe.webgpuMs * worthwhileFactor <= probe.cpuMs
  return { device: isFaster ? 'webgpu' : 'cpu', reason: comparison }
}

/** Asks a child process, which may crash without harm. */
export function probeWebgpu(): Promise<Probe> {
  const program = fileURLToPath(new URL('./webgpu-probe.node.js', import.meta.url))
  return new Promise(resolve => {
    execFile(process.execPath, [program], { timeout: probeTimeoutMs, encoding: 'utf8' }, (error, stdout) => {
      const answer = readProbe(stdout)
      if (answer !== undefined) resolve('failure' in answer ? { failure: readable(answer.failure) } : answer)
      else
        resolve({ failure: error?.killed ? 'the probe did not answer' : 'the probe ended without an answer' })
    })
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
  return message.split('\n', 1)[0]!
}

function milliseconds(value: number): string {
  return `${value < 10 ? value.toPrecision(2) : Math.round(value)} ms`
}
