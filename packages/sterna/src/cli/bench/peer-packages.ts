/** Other people's inference engines: found where they are installed, never installed by us. */
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { closest, SternaError } from '../../core/index.ts'
import { versions } from '../versions.ts'

/** The names that --against takes, in the order of the columns of a report. */
export const peerNames = ['ort-web', 'ort-node', 'tfjs'] as const
export type PeerName = (typeof peerNames)[number]

/** ONNX Runtime's packages share one interface. */
export type Ort = typeof import('onnxruntime-node')

export interface OpenOrt {
  readonly kind: 'ort'
  readonly ort: Ort
  /** Package and version. */
  readonly version: string
}

export interface OpenTf {
  readonly kind: 'tfjs'
  readonly tf: TfCore
  readonly version: string
}

/** What this benchmark calls of @tensorflow/tfjs-core. */
export interface TfCore {
  readonly version_core: string
  setBackend(name: string): Promise<boolean>
  tensor(data: Float32Array, shape: readonly number[]): TfTensor
  tidy<Result>(body: () => Result): Result
  keep(tensor: TfTensor): TfTensor
  readonly fused: {
    conv2d(options: TfConvolution): TfTensor
    depthwiseConv2d(options: TfConvolution): TfTensor
    matMul(options: { a: TfTensor; b: TfTensor; transposeB: boolean } & TfEpilogue): TfTensor
  }
  add(a: TfTensor, b: TfTensor): TfTensor
  relu(x: TfTensor): TfTensor
  clipByValue(x: TfTensor, min: number, max: number): TfTensor
  maxPool(x: TfTensor, size: readonly number[], strides: readonly number[], pad: TfPad): TfTensor
  avgPool(x: TfTensor, size: readonly number[], strides: readonly number[], pad: TfPad): TfTensor
  mean(x: TfTensor, axes: readonly number[], keepDims: boolean): TfTensor
  reshape(x: TfTensor, shape: readonly number[]): TfTensor
  transpose(x: TfTensor, order: readonly number[]): TfTensor
  stridedSlice(
    x: TfTensor,
    begin: readonly number[],
    end: readonly number[],
    strides: readonly number[],
  ): TfTensor
  pad(x: TfTensor, pads: readonly (readonly [number, number])[], value: number): TfTensor
}

export interface TfTensor {
  readonly shape: readonly number[]
  dataSync(): Float32Array
  dispose(): void
}

/** Before and behind every axis of [N, H, W, C]. */
export type TfPad = readonly (readonly [number, number])[]

export interface TfEpilogue {
  readonly bias?: TfTensor
  readonly activation?: 'linear' | 'relu'
}

export interface TfConvolution extends TfEpilogue {
  readonly x: TfTensor
  readonly filter: TfTensor
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly pad: TfPad
}

interface TfWasm {
  setThreadsCount(threads: number): void
}

const tfVersion = '4.22.0'
const ortPackages = { 'ort-web': 'onnxruntime-web', 'ort-node': 'onnxruntime-node' } as const

/** What npm installs for a peer; onnxruntime-node comes with the toolkit. */
const packagesOf: Readonly<Record<PeerName, readonly string[]>> = {
  'ort-web': [`${ortPackages['ort-web']}@${versions.onnxruntime}`],
  'ort-node': [`${ortPackages['ort-node']}@${versions.onnxruntime}`],
  tfjs: [`@tensorflow/tfjs-core@${tfVersion}`, `@tensorflow/tfjs-backend-wasm@${tfVersion}`],
}

/** `ort-node,tfjs` as names. @throws SternaError 'usage/option' for a word that is none */
export function readPeerNames(text: string): readonly PeerName[] {
  return text.split(',').map(word => {
    const found = peerNames.find(name => name === word.trim())
    if (found !== undefined) return found
    throw new SternaError('usage/option', `--against: expected ${peerNames.join(', ')}, found "${word}"`, {
      hint: `did you mean ${closest(word, peerNames)[0]}?`,
    })
  })
}

/**
 * Loads a peer's packages, from beside the toolkit or from the current folder's project.
 * @param threads of its kernels; fixed by the first call of a process
 * @throws SternaError 'engine/unavailable' with the line that installs it
 */
export async function openPeer(name: PeerName, threads: number): Promise<OpenOrt | OpenTf> {
  switch (name) {
    case 'ort-node':
      return { kind: 'ort', ort: await importPeer(name, ortPackages[name]), version: packagesOf[name][0]! }
    case 'ort-web': {
      const ort = await importPeer<Ort>(name, ortPackages[name])
      ort.env.wasm.numThreads = threads
      return { kind: 'ort', ort, version: `onnxruntime-web@${ort.env.versions.web}` }
    }
    case 'tfjs': {
      const tf = await importPeer<TfCore>(name, '@tensorflow/tfjs-core')
      const wasm = await importPeer<TfWasm>(name, '@tensorflow/tfjs-backend-wasm')
      wasm.setThreadsCount(threads)
      if (!(await tf.setBackend('wasm'))) {
        throw new SternaError('engine/unavailable', 'tfjs: its WebAssembly backend does not start')
      }
      return { kind: 'tfjs', tf, version: `@tensorflow/tfjs-backend-wasm@${tf.version_core}` }
    }
    default:
      return name satisfies never
  }
}

/** How to get a peer that is not there. */
export function installHint(name: PeerName): string {
  return `npm install --no-save ${packagesOf[name].join(' ')}`
}

async function importPeer<Module>(peer: PeerName, specifier: string): Promise<Module> {
  try {
    return (await import(resolvePeer(specifier))) as Module
  } catch (cause) {
    throw new SternaError('engine/unavailable', `${peer}: ${specifier} is not installed here`, {
      hint: installHint(peer),
      cause,
    })
  }
}

/** What another process imports for one of ONNX Runtime's packages. */
export const peerAddress = (name: Exclude<PeerName, 'tfjs'>): string => resolvePeer(ortPackages[name])

/** The address of a package beside the toolkit; else of one in the current folder's project. */
function resolvePeer(specifier: string): string {
  try {
    return import.meta.resolve(specifier)
  } catch {
    const here = createRequire(path.join(process.cwd(), 'package.json'))
    return pathToFileURL(here.resolve(specifier)).href
  }
}
