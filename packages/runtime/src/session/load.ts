import { openWorkspace } from '../codec/wasm/workspace.ts'
import { SternaError } from '../errors.ts'
import {
  type ByteStream,
  type PartDecoder,
  type ReadSterna,
  readBytes,
  readStream,
} from '../file/read-file.ts'
import type { PackedModel } from '../file/types.ts'
import type { ModelDescription } from '../plan/describe.ts'
import { type ComputeOptions, openModel, planFor } from './open.ts'
import { Session } from './session.ts'
import { expectThreads, startThreads } from './start-threads.ts'

export interface LoadOptions extends ComputeOptions {
  /**
   * Threads over which `runBatch` spreads the images of a batch (1, the default, to 256): the calling one and workers, or
   * workers alone on a page, which must answer its user, and in a browser's worker without shared memory. Each worker loads
   * the model anew. Where the host starts none, the calling thread computes; `session.threadsReason` says why.
   */
  readonly threads?: number
  /**
   * Where tensors, and parts of large ones, are decoded: called for each with its bytes, with `decodePart` in a worker
   * for instance. Without it they are decoded here, one after the other.
   */
  readonly decode?: PartDecoder
}

/**
 * Reads a `.sterna` file and makes a session of it. A stream, as `(await fetch(url)).body`, is decoded as it arrives.
 * @throws SternaError `file/…` where the bytes are damaged or unsupported, `graph/…` where the network in them
 *   does not fit together, `file/limit` where it asks for more than the runtime allows, `engine/unavailable` where the
 *   host has no memory for it
 */
export async function load(
  source: Uint8Array | ArrayBuffer | ByteStream,
  options: LoadOptions = {},
): Promise<Session> {
  const { decode, ...model } = options
  return loadModel((await readSource(source, decode)).model, model)
}

async function readSource(
  source: Uint8Array | ArrayBuffer | ByteStream,
  decode: PartDecoder | undefined,
): Promise<ReadSterna> {
  const plain =
    openWorkspace(1) === undefined ? (await import('../codec/plain/index.ts')).plainDecoders : undefined
  const options = { lists: true, decode, plain }
  const read = (bytes: Uint8Array) =>
    decode === undefined
      ? readBytes(bytes, options)
      : readStream(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream(), options)
  if (source instanceof Uint8Array) return read(source)
  if (typeof source === 'object' && source !== null) {
    if ('byteLength' in source) return read(new Uint8Array(source))
    if ('getReader' in source || Symbol.asyncIterator in source) return readStream(source, options)
  }
  throw new SternaError('usage/input', 'expected the bytes of a .sterna file or a stream of them', {
    hint: 'pass a Uint8Array, an ArrayBuffer, or the body of a response',
  })
}

/** Makes a session of a model that is already in memory. */
export async function loadModel(
  model: PackedModel,
  options: Omit<LoadOptions, 'decode'> = {},
): Promise<Session> {
  const { threads = 1, ...compute } = options
  expectThreads(threads)
  const executor = await openModel(model, compute)
  return new Session(executor, await startThreads(threads, { model, options: compute }))
}

/**
 * What a session of this model would do on this host, without making one.
 * @throws SternaError as `loadModel` does
 */
export async function describeModel(
  model: PackedModel,
  options: LoadOptions = {},
): Promise<ModelDescription> {
  return (await planFor(model, options)).description
}
