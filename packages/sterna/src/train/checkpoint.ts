/** A checkpoint is one safetensors file from which a training continues bit for bit. */
import { naming, SternaError, type Tensor } from '../core/index.ts'
import { digestBytes, type LoaderPosition } from '../data/index.ts'
import { readSafetensors, writeSafetensors } from '../formats/index.ts'
import type { TrainConfig } from './config.ts'
import type { EpochRecord } from './events.ts'

/** Raised whenever an older checkpoint could no longer be continued exactly. */
export const CHECKPOINT_VERSION = 1

export interface TrainProgress {
  /** 0: training, 1: frozen assignment. */
  readonly phase: number
  readonly position: LoaderPosition
  /** Sums over the epoch in progress. */
  readonly sums: { readonly loss: number; readonly correct: number; readonly samples: number }
  readonly firstLoss: number | null
  readonly history: readonly EpochRecord[]
  /** The phase's best epoch so far; its tensors are in `best`. */
  readonly bestRecord: EpochRecord | null
}

export interface Checkpoint {
  readonly config: TrainConfig
  /** Of the data set, so that a run never continues on other images. */
  readonly dataDigest: string
  readonly progress: TrainProgress
  /** Parameters, quantizer state and optimiser tensors. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Parameters and quantizer state of the best epoch of this phase. */
  readonly best: ReadonlyMap<string, Tensor>
}

const FORMAT = 'sterna-checkpoint'
const CURRENT = 'current/'
const BEST = 'best/'

export function writeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { config, dataDigest, progress, tensors, best } = checkpoint
  const all = new Map<string, Tensor>()
  for (const [name, value] of tensors) all.set(CURRENT + name, value)
  for (const [name, value] of best) all.set(BEST + name, value)
  const metadata = {
    format: FORMAT,
    version: String(CHECKPOINT_VERSION),
    config: JSON.stringify(config),
    dataDigest,
    progress: JSON.stringify(progress),
  }
  return writeSafetensors(all, { ...metadata, digest: digestOf(all, metadata) })
}

/**
 * Reads a checkpoint; `where` (a path) begins every error.
 * @throws SternaError 'file/…' for bytes that are no safetensors file, 'train/checkpoint' for anything but an
 * undamaged checkpoint of this version
 */
export function readCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  const { tensors: all, metadata } = naming(where, () => readSafetensors(bytes))
  if (metadata.format !== FORMAT) {
    throw new SternaError(
      'train/checkpoint',
      `${where}: expected a training checkpoint, found ${metadata.format ?? 'other tensors'}`,
    )
  }
  if (metadata.version !== String(CHECKPOINT_VERSION)) {
    throw new SternaError(
      'train/checkpoint',
      `${where}: written by another version (checkpoint version ${metadata.version}, this build continues ${CHECKPOINT_VERSION})`,
      { hint: 'start a new run, with --from to begin from its weights' },
    )
  }
  const { digest, ...rest } = metadata
  if (digest !== digestOf(all, rest)) {
    throw new SternaError('train/checkpoint', `${where}: damaged, its content does not match its digest`, {
      hint: 'start a new run; a copy of this file, if there is one, can take its place',
    })
  }
  const tensors = new Map<string, Tensor>()
  const best = new Map<string, Tensor>()
  for (const [name, value] of all) {
    if (name.startsWith(BEST)) best.set(name.slice(BEST.length), value)
    else tensors.set(name.slice(CURRENT.length), value)
  }
  return {
    config: parse(metadata.config, 'config', where, isObject) as unknown as TrainConfig,
    dataDigest: metadata.dataDigest ?? '',
    progress: parse(metadata.progress, 'progress', where, isProgress),
    tensors,
    best,
  }
}

/** A fingerprint of everything in the file, in an order that does not depend on the file's. */
function digestOf(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string | undefined>>,
): string {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))
  const header = JSON.stringify([
    Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)),
    sorted.map(([name, { dtype, shape }]) => [name, dtype, shape]),
  ])
  return digestBytes([
    new TextEncoder().encode(header),
    ...sorted.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ])
}

function parse<Result>(
  text: string | undefined,
  field: string,
  where: string,
  isResult: (value: unknown) => value is Result,
): Result {
  let value: unknown
  try {
    value = JSON.parse(text ?? '')
  } catch (cause) {
    throw new SternaError('train/checkpoint', `${where}: its ${field} is not JSON`, { cause })
  }
  if (isResult(value)) return value
  throw new SternaError('train/checkpoint', `${where}: its ${field} is not what this build writes`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isProgress(value: unknown): value is TrainProgress {
  if (!isObject(value)) return false
  const { phase, position, sums, firstLoss, history, bestRecord } = value
  const hasNumbers = (item: unknown, ...names: readonly string[]) =>
    isObject(item) && names.every(name => typeof item[name] === 'number')
  return (
    (phase === 0 || phase === 1) &&
    hasNumbers(position, 'epoch', 'batch') &&
    hasNumbers(sums, 'loss', 'correct', 'samples') &&
    (firstLoss === null || typeof firstLoss === 'number') &&
    Array.isArray(history) &&
    history.every(record => hasNumbers(record, 'epoch', 'trainLoss')) &&
    (bestRecord === null || hasNumbers(bestRecord, 'epoch', 'trainLoss'))
  )
}
