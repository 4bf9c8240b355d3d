/** Trains a run of a plan that may have been begun, or finished, by an earlier command. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { SternaError } from '../core/index.ts'
import type { Dataset } from '../data/index.ts'
import type { Engine } from '../engine/index.ts'
import { zooEntry } from '../models/index.ts'
import { loadRun, readRunConfig, resumeRun, trainRun } from '../train/index.node.ts'
import type { TrainConfig, TrainEvent } from '../train/index.ts'

export interface PlannedRun {
  readonly directory: string
  readonly config: TrainConfig
  /** The run whose network it starts from. */
  readonly from?: string
}

/** Whether the run was finished before. Refuses a directory that holds a run with other settings. */
export function isFinished({ directory, config }: PlannedRun): boolean {
  if (!existsSync(path.join(directory, 'config.json'))) return false
  if (JSON.stringify(readRunConfig(directory).config) !== JSON.stringify(config)) {
    throw new SternaError('usage/option', `${directory} holds a run with other settings`, {
      hint: 'choose another folder with --out, or remove that run',
    })
  }
  return existsSync(path.join(directory, 'model.safetensors'))
}

/** Trains from the start or from where an earlier command stopped; does nothing for a finished run. */
export async function trainOrResume(
  run: PlannedRun,
  common: { readonly engine: Engine; readonly dataset: Dataset; readonly signal: AbortSignal },
  onEvent: (event: TrainEvent) => void,
): Promise<void> {
  if (isFinished(run)) return
  const { directory, config, from } = run
  const isBegun = existsSync(path.join(directory, 'config.json'))
  const model = () =>
    from === undefined
      ? zooEntry(config.model).create(common.dataset.classes.length, config.seed)
      : loadRun(from).latent
  const summary = isBegun
    ? await resumeRun({ ...common, directory, onEvent })
    : await trainRun({ ...common, directory, config, model: model(), onEvent, ...(from && { from }) })
  if (summary !== 'stopped') return
  throw new SternaError('train/interrupted', 'stopped; what is trained so far is kept', {
    hint: 'run the same command again to go on',
  })
}
