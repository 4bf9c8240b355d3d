/** A checkpoint is one safetensors file from which a training continues bit for bit. */
import { SternaError, type Tensor } from '../core/index.ts'
import type { LoaderPosition } from '../data/index.ts'
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

const BEST = 'best/'

export function writeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const { config, dataDigest, progress, tensors, best } = checkpoint
  const all = new Map(tensors)
  for (const [name, value] of best) all.set(BEST + name, value)
  return writeSafetensors(all, {
    format: 'sterna-checkpoint',
    version: String(CHECKPOINT_VERSION),
    config: JSON.stringify(config),
    dataDigest,
    progress: JSON.stringify(progress),
  })
}

/** Reads a checkpoint; `where` (a path) begins every error. */
export function readCheckpoint(bytes: Uint8Array, where: string): Checkpoint {
  const { tensors: all, metadata } = readSafetensors(bytes)
  if (metadata.format !== 'sterna-checkpoint') {
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
  const tensors = new Map<string, Tensor>()
  const best = new Map<string, Tensor>()
  for (const [name, value] of all) {
    if (name.startsWith(BEST)) best.set(name.slice(BEST.length), value)
    else tensors.set(name, value)
  }
  return {
    config: parse<TrainConfig>(metadata.config, 'config', where),
    dataDigest: metadata.dataDigest ?? '',
    progress: parse<TrainProgress>(metadata.progress, 'progress', where),
    tensors,
    best,
  }
}

function parse<Result>(text: string | undefined, field: string, where: string): Result {
  try {
    return JSON.parse(text ?? '') as Result
  } catch (cause) {
    throw new SternaError('train/checkpoint', `${where}: its ${field} is not JSON`, { cause })
  }
}
