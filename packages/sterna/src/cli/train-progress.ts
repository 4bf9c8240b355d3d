/** A training's events as lines for a person. */
import { formatDuration, formatPercent } from '../report/index.ts'
import type { EpochRecord, TrainConfig, TrainEvent } from '../train/index.ts'
import type { Output } from './output.ts'
import { describeFallbacks } from './predictors.ts'

/** A listener that shows where a training stands: one redrawn line on a terminal, one line an epoch elsewhere. */
export function showTraining(
  output: Output,
  { select }: Pick<TrainConfig, 'select'>,
  title = '',
): (event: TrainEvent) => void {
  const prefix = title === '' ? '' : `${title}  `
  let epochs = 0
  let totalEpochs = 0
  let finishedEpochs = 0
  let epochMs = 0
  let last = ''
  return event => {
    switch (event.kind) {
      case 'start':
        totalEpochs = event.epochs
        if (event.resumedAt !== undefined) output.note(`${prefix}continues at ${event.resumedAt}`)
        return
      case 'phase':
        epochs = event.epochs
        for (const line of describeFallbacks(event.fallbacks)) output.note(`${prefix}${line}`)
        return
      case 'progress': {
        const { phase, epoch, step, stepsPerEpoch, loss, stepMs } = event
        const remainingSteps =
          stepsPerEpoch - step + Math.max(0, totalEpochs - finishedEpochs - 1) * stepsPerEpoch
        // What an epoch costs beyond its steps (validation, checkpoint) is known once one has ended.
        const perStep = epochMs > 0 ? Math.max(stepMs, epochMs / stepsPerEpoch) : stepMs
        output.progress(
          `${prefix}${epochName(phase, epoch, epochs)}  step ${step}/${stepsPerEpoch}  loss ${formatLoss(loss)}  ` +
            `${stepMs.toFixed(1)} ms/step  ${formatRemaining(remainingSteps * perStep)}${last}`,
        )
        return
      }
      case 'epoch': {
        finishedEpochs++
        epochMs = event.elapsedMs
        const line = describeEpoch(event.record, epochs)
        last = describeValidation(event.record)
        output.step(
          `${prefix}${line}  ${formatDuration(event.elapsedMs)}${event.isBest && select === 'best-validation' ? '  best' : ''}`,
        )
        return
      }
      case 'done':
        return
      default:
        return event satisfies never
    }
  }
}

/** An estimate: no fractions of a second. */
function formatRemaining(remainingMs: number): string {
  const seconds = Math.ceil(remainingMs / 1000)
  return `${seconds < 60 ? `${seconds} s` : formatDuration(1000 * seconds)} left`
}

function describeEpoch(record: EpochRecord, epochs: number): string {
  const { phase, epoch, trainLoss, trainAccuracy, validationAccuracy, zeros } = record
  return [
    epochName(phase, epoch, epochs),
    `loss ${formatLoss(trainLoss)}`,
    `train ${formatPercent(trainAccuracy)}`,
    ...(validationAccuracy === undefined ? [] : [`validation ${formatPercent(validationAccuracy)}`]),
    ...(zeros === undefined ? [] : [`zeros ${formatPercent(zeros, 1)}`]),
  ].join('  ')
}

function describeValidation({ validationAccuracy, zeros }: EpochRecord): string {
  const parts = [
    ...(validationAccuracy === undefined ? [] : [`validation ${formatPercent(validationAccuracy)}`]),
    ...(zeros === undefined ? [] : [`zeros ${formatPercent(zeros, 1)}`]),
  ]
  return parts.length === 0 ? '' : `  (last: ${parts.join(', ')})`
}

function epochName(phase: EpochRecord['phase'], epoch: number, epochs: number): string {
  const width = String(epochs).length
  return `${phase === 'frozen' ? 'frozen epoch' : 'epoch'} ${String(epoch).padStart(width)}/${epochs}`
}

function formatLoss(loss: number): string {
  return loss >= 100 ? loss.toPrecision(4) : loss.toFixed(4)
}
