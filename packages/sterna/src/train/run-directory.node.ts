/**
 * A run on disk: `config.json` (all that decides the result), `events.jsonl` (one line an epoch),
 * `checkpoints/last.safetensors` (to continue), `model.safetensors` (the result), `summary.json`.
 */
import { appendFileSync, existsSync, mkdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { readFileBytes, writeFileAtomic } from '../core/index.node.ts'
import { naming, SternaError, type Tensor } from '../core/index.ts'
import type { Dataset } from '../data/index.ts'
import type { Engine, LoweringName } from '../engine/index.ts'
import type { Model } from '../graph/index.ts'
import { zooEntry } from '../models/index.ts'
import type { TernaryWeight } from '../ternary/index.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { checkConfig, type TrainConfig } from './config.ts'
import type { EpochRecord, TrainEvent } from './events.ts'
import { readTrained, writeTrained } from './trained-file.ts'
import { type TrainResult, train } from './trainer.ts'

/** Raised when an older run directory could no longer be read. */
export const RUN_FORMAT_VERSION = 1

const files = {
  config: 'config.json',
  events: 'events.jsonl',
  checkpoint: join('checkpoints', 'last.safetensors'),
  parent: join('checkpoints', 'start.safetensors'),
  model: 'model.safetensors',
  summary: 'summary.json',
} as const

/** `config.json`. */
export interface RunConfig {
  readonly formatVersion: number
  readonly classes: number
  /** The run or weights file the starting network came from. */
  readonly from?: string
  readonly config: TrainConfig
  /** How the engine wrote its graphs, which decides the last bits; absent in runs of before there was a choice. */
  readonly lowering?: LoweringName
}

/** `summary.json`: what the run ended with. Accuracies are fractions of the validation split. */
export interface RunSummary {
  readonly model: string
  readonly method: string
  readonly selected: EpochRecord
  readonly epochs: number
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[]
}

interface RunOptions {
  readonly directory: string
  readonly dataset: Dataset
  readonly engine: Engine
  readonly onEvent?: (event: TrainEvent) => void
  readonly signal?: AbortSignal
}

/**
 * Starts a run in a directory that holds none yet; `model` is the network to start from. A run that cannot start
 * writes nothing.
 */
export async function trainRun(
  options: RunOptions & { readonly config: TrainConfig; readonly model: Model; readonly from?: string },
): Promise<RunSummary | 'stopped'> {
  const { directory, config, from, model, dataset } = options
  checkConfig(config)
  const held = [files.config, files.checkpoint, files.model].find(file => existsSync(join(directory, file)))
  if (held !== undefined) {
    throw new SternaError('usage/option', `${directory} already holds a run (${held})`, {
      hint: `continue it with --resume ${directory}, or choose another directory`,
    })
  }
  const run: RunConfig = {
    formatVersion: RUN_FORMAT_VERSION,
    classes: dataset.classes.length,
    ...(from !== undefined && { from }),
    lowering: options.engine.lowering,
    config,
  }
  return execute(options, run, model, {
    prepare: () => {
      createFolder(join(directory, 'checkpoints'))
      // The starting network is kept, so that a run stopped before its first checkpoint starts from the same.
      const start = { model, ternary: new Map(), latent: new Map() }
      if (from !== undefined) writeFileAtomic(join(directory, files.parent), writeTrained(start))
      writeFileAtomic(join(directory, files.config), `${JSON.stringify(run, null, 2)}\n`)
    },
  })
}

/** Continues a run where its last checkpoint stands; the result is that of an unbroken run, bit for bit. */
export async function resumeRun(options: RunOptions): Promise<RunSummary | 'stopped'> {
  const { directory } = options
  const run = readRunConfig(directory)
  dropHalfLine(join(directory, files.events))
  const path = join(directory, files.checkpoint)
  const resume = existsSync(path) ? readCheckpoint(readFileBytes(path), path) : undefined
  return execute(options, run, startingModel(directory, run), { resume })
}

/** Reads and checks `config.json`. */
export function readRunConfig(directory: string): RunConfig {
  const path = join(directory, files.config)
  if (!existsSync(path)) {
    throw new SternaError(
      'file/not-found',
      `${directory}: expected a run directory with ${files.config}, found none`,
    )
  }
  let run: Partial<RunConfig>
  try {
    run = JSON.parse(new TextDecoder().decode(readFileBytes(path))) as Partial<RunConfig>
  } catch (cause) {
    if (cause instanceof SternaError) throw cause
    throw new SternaError('file/damaged', `${path}: not JSON`, { cause })
  }
  if (
    run?.formatVersion !== RUN_FORMAT_VERSION ||
    typeof run.config !== 'object' ||
    run.config === null ||
    !Number.isInteger(run.classes)
  ) {
    throw new SternaError(
      'file/unsupported',
      `${path}: run format ${run?.formatVersion ?? 'unknown'}, this build reads ${RUN_FORMAT_VERSION}`,
      { hint: 'use the version of sterna that wrote it, or start a new run from its model.safetensors' },
    )
  }
  naming(path, () => checkConfig(run.config!))
  return run as RunConfig
}

/** Reads `summary.json` of a finished run. */
export function readRunSummary(directory: string): RunSummary {
  const path = join(directory, files.summary)
  try {
    return JSON.parse(new TextDecoder().decode(readFileBytes(path))) as RunSummary
  } catch (cause) {
    if (cause instanceof SternaError) throw cause
    throw new SternaError('file/damaged', `${path}: not JSON`, { cause })
  }
}

export interface LoadedRun {
  readonly config: TrainConfig
  readonly classes: number
  /** The network as it computes. */
  readonly model: Model
  readonly ternary: ReadonlyMap<string, TernaryWeight>
  /** The same network with latent weights where it is quantized: where another method starts from. */
  readonly latent: Model
}

/** The result of a finished run, or the best network so far of an unfinished one is refused with a hint. */
export function loadRun(directory: string): LoadedRun {
  const { config, classes } = readRunConfig(directory)
  const path = join(directory, files.model)
  if (!existsSync(path)) {
    throw new SternaError(
      'file/not-found',
      `${directory}: the run is not finished, it has no ${files.model}`,
      {
        hint: `finish it with: sterna train --resume ${directory}`,
      },
    )
  }
  const { graph } = zooEntry(config.model).create(classes, config.seed)
  const { model, ternary, latent } = readTrained(graph, readFileBytes(path), path)
  return { config, classes, model, ternary, latent: { graph, parameters: latent as Map<string, Tensor> } }
}

function startingModel(directory: string, { config, classes, from }: RunConfig): Model {
  const fresh = zooEntry(config.model).create(classes, config.seed)
  if (from === undefined) return fresh
  const path = join(directory, files.parent)
  return readTrained(fresh.graph, readFileBytes(path), path).model
}

async function execute(
  options: RunOptions,
  run: RunConfig,
  model: Model,
  { prepare, resume }: { readonly prepare?: () => void; readonly resume?: Checkpoint | undefined },
): Promise<RunSummary | 'stopped'> {
  const { directory, onEvent } = options
  const result = await train({
    ...options,
    config: run.config,
    model,
    ...(resume && { resume }),
    onEvent: event => {
      // By the first event every option has been checked.
      if (event.kind === 'start') prepare?.()
      if (event.kind !== 'progress') appendEvent(join(directory, files.events), event)
      onEvent?.(event)
    },
    save: async checkpoint => writeFileAtomic(join(directory, files.checkpoint), writeCheckpoint(checkpoint)),
  })
  return result.status === 'done' ? finish(directory, run, result) : 'stopped'
}

function finish(
  directory: string,
  { config }: RunConfig,
  result: TrainResult & { status: 'done' },
): RunSummary {
  const path = join(directory, files.model)
  writeFileAtomic(path, writeTrained(result.network))
  const summary: RunSummary = {
    model: config.model,
    method: config.method,
    selected: result.selected,
    epochs: result.history.length,
    files: [{ path: files.model, sizeBytes: statSync(path).size }],
  }
  writeFileAtomic(join(directory, files.summary), `${JSON.stringify(summary, null, 2)}\n`)
  return summary
}

function appendEvent(path: string, event: TrainEvent): void {
  try {
    appendFileSync(path, `${JSON.stringify(event)}\n`)
  } catch (cause) {
    throw new SternaError('file/write-failed', `cannot write ${path}: ${(cause as Error).message}`, {
      hint: 'make room or set its permissions, then continue with --resume',
      cause,
    })
  }
}

/** A process that died while it wrote may leave half a line, which the next one must not continue. */
function dropHalfLine(path: string): void {
  if (existsSync(path)) truncateSync(path, readFileBytes(path).lastIndexOf(0x0a) + 1)
}

function createFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
  } catch (cause) {
    throw new SternaError(
      'file/write-failed',
      `cannot create the folder ${path}: ${(cause as Error).message}`,
      { cause },
    )
  }
}
