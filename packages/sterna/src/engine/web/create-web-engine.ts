/** Makes an engine for browsers: onnxruntime-web on WebGPU or WebAssembly. */
import { SternaError } from '../../core/index.ts'
import { GpuState, GpuTransfer } from '../gpu-state.ts'
import { sessionOptions } from '../loaded-program.ts'
import { ProgramEngine } from '../program-engine.ts'
import { ProgramHost } from '../program-host.ts'
import { standardLowering } from '../standard/index.ts'
import type { Engine, EngineDevice } from '../types.ts'
import { LocalClient } from './local-client.ts'
import { ResultState } from './result-state.ts'

type WebDevice = Exclude<EngineDevice, 'cuda'>

export interface WebEngineOptions {
  /** Default 'auto': WebGPU where the browser offers an adapter that is no software, else 'cpu', i.e. WebAssembly. */
  readonly device?: WebDevice | 'auto'
  /** Threads of WebAssembly; default 1. More need a page that is cross-origin isolated. */
  readonly threads?: number
  /**
   * Address of the folder that holds onnxruntime-web's `ort-wasm-*` files; default: beside its script, where
   * bundlers and CDNs put them.
   */
  readonly assets?: string
  /** On WebGPU, refuses graphs of which part would run in WebAssembly. Default false: that part just does. */
  readonly strict?: boolean
}

/**
 * The engine of a browser. It computes in the thread that creates it: create it in a worker to keep a page
 * responsive while WebAssembly computes. Needs the package onnxruntime-web, which is loaded here and not before.
 * Throws 'engine/unavailable' where the device or the package is not there.
 */
export async function createWebEngine(options: WebEngineOptions = {}): Promise<Engine> {
  const { threads = 1, assets, strict = false } = options
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
    throw new SternaError('usage/option', `threads must be a whole number from 1 to 64, found ${threads}`)
  }
  if (threads > 1 && globalThis.crossOriginIsolated !== true) {
    throw new SternaError('engine/unavailable', `${threads} threads: the page is not cross-origin isolated`, {
      hint: 'serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
    })
  }
  const { device, reason } = await chooseWebDevice(options.device ?? 'auto')
  const runtime = await loadRuntime(device)
  runtime.env.wasm.numThreads = threads
  if (assets !== undefined) runtime.env.wasm.wasmPaths = assets
  const sessions = {
    ...sessionOptions({ device, threads, spin: false, strict }),
    executionProviders: [device === 'cpu' ? 'wasm' : device],
  }
  const transfer = new GpuTransfer(runtime, sessions)
  const host = new ProgramHost(runtime, sessions, program =>
    device === 'webgpu' ? new GpuState(program, transfer) : new ResultState(runtime, program),
  )
  const client = new LocalClient(host, () => transfer.release())
  return new ProgramEngine(client, {
    device,
    reason,
    threads,
    lowering: standardLowering,
    loweringReason: 'the fast lowering is made for native CPU kernels',
  })
}

/** WebGPU as far as it is asked about here; TypeScript's library has no types of it. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info?: { readonly isFallbackAdapter?: boolean } } | null>
}

async function chooseWebDevice(
  wanted: WebDevice | 'auto',
): Promise<{ readonly device: WebDevice; readonly reason: string }> {
  if (wanted === 'cpu') return { device: 'cpu', reason: 'as asked' }
  const { gpu } = (globalThis.navigator ?? {}) as { readonly gpu?: Gpu }
  // A page that is no secure context, e.g. on http, has no `navigator.gpu`.
  const adapter = await gpu?.requestAdapter().catch(() => null)
  const problem = gpu === undefined ? 'the browser offers no WebGPU here' : 'no GPU adapter was found'
  if (wanted === 'webgpu') {
    if (adapter) return { device: 'webgpu', reason: 'as asked' }
    throw new SternaError('engine/unavailable', `device webgpu: ${problem}`, { hint: 'use the device cpu' })
  }
  if (!adapter) return { device: 'cpu', reason: problem }
  if (adapter.info?.isFallbackAdapter) return { device: 'cpu', reason: 'the only GPU adapter is software' }
  return { device: 'webgpu', reason: 'there is a GPU adapter' }
}

/** The build without WebGPU is half as large. */
async function loadRuntime(device: WebDevice): Promise<typeof import('onnxruntime-web')> {
  try {
    return device === 'webgpu' ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm')
  } catch (cause) {
    throw new SternaError(
      'engine/unavailable',
      `onnxruntime-web does not load: ${cause instanceof Error ? cause.message : String(cause)}`,
      { hint: 'install it beside sterna: npm install --save-exact onnxruntime-web@1.30.0', cause },
    )
  }
}
