/** Learning-rate schedules: a factor on the base rate, as a pure function of the step. */
import { SternaError } from '../core/index.ts'

interface WarmUp {
  /** Epochs over which the factor rises linearly from 0; may be a fraction. */
  readonly warmUpEpochs: number
}

export type Schedule = WarmUp &
  (
    | { readonly kind: 'constant' }
    /** × factor at the start of each of these epochs (counted from 0). */
    | { readonly kind: 'step'; readonly epochs: readonly number[]; readonly factor: number }
    /** Half a cosine from 1 to `final` over the whole training, updated every step (Loshchilov & Hutter, 2017). */
    | { readonly kind: 'cosine'; readonly final: number }
  )

/** The factor for step `step` (from 0) of a phase with `totalEpochs` epochs of `stepsPerEpoch` steps. */
export function scheduleFactor(
  schedule: Schedule,
  step: number,
  stepsPerEpoch: number,
  totalEpochs: number,
): number {
  const epoch = step / stepsPerEpoch
  const warmUp = epoch < schedule.warmUpEpochs ? (step + 1) / (schedule.warmUpEpochs * stepsPerEpoch) : 1
  return Math.min(1, warmUp) * decay(schedule, epoch, totalEpochs)
}

function decay(schedule: Schedule, epoch: number, totalEpochs: number): number {
  switch (schedule.kind) {
    case 'constant':
      return 1
    case 'step':
      return schedule.factor ** schedule.epochs.filter(at => epoch >= at).length
    case 'cosine': {
      const span = Math.max(totalEpochs - schedule.warmUpEpochs, Number.MIN_VALUE)
      const progress = Math.min(1, Math.max(0, (epoch - schedule.warmUpEpochs) / span))
      return schedule.final + (1 - schedule.final) * 0.5 * (1 + Math.cos(Math.PI * progress))
    }
    default:
      return schedule satisfies never
  }
}

/** Checks the numbers of a schedule. */
export function checkSchedule(schedule: Schedule): void {
  const numbers: (readonly [name: string, value: unknown])[] = [['warmUpEpochs', schedule.warmUpEpochs]]
  switch (schedule.kind) {
    case 'constant':
      break
    case 'step':
      numbers.push(['factor', schedule.factor])
      for (const epoch of Array.isArray(schedule.epochs) ? schedule.epochs : [schedule.epochs])
        numbers.push(['epochs', epoch])
      break
    case 'cosine':
      numbers.push(['final', schedule.final])
      break
    default:
      throw new SternaError(
        'train/config',
        `schedule: expected constant, step or cosine, found ${JSON.stringify((schedule satisfies never as Schedule).kind)}`,
      )
  }
  for (const [name, value] of numbers) {
    if (!Number.isFinite(value) || (value as number) < 0) {
      throw new SternaError('train/config', `schedule.${name}: expected a number ≥ 0, found ${value}`)
    }
  }
}

/** Reads 'constant', 'cosine' or 'step:15,25' (optionally 'step:15,25x0.1'), with warm-up epochs. */
export function parseSchedule(text: string, warmUpEpochs: number): Schedule {
  const step = /^step:([\d.]+(?:,[\d.]+)*)(?:x([\d.]+))?$/.exec(text)
  if (text === 'constant') return { kind: 'constant', warmUpEpochs }
  if (text === 'cosine') return { kind: 'cosine', final: 0, warmUpEpochs }
  const epochs = step?.[1]?.split(',').map(Number)
  const factor = Number(step?.[2] ?? 0.1)
  if (epochs === undefined || epochs.some(Number.isNaN) || Number.isNaN(factor)) {
    throw new SternaError(
      'train/config',
      `schedule: expected constant, cosine or step:EPOCH,EPOCH[xFACTOR], found "${text}"`,
    )
  }
  return { kind: 'step', epochs, factor, warmUpEpochs }
}
