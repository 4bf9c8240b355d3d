/** What a training tells while it runs. */
import type { Fallback } from '../engine/index.ts'

/** One finished epoch; the same for the same seed on every run. */
export interface EpochRecord {
  readonly phase: 'train' | 'frozen'
  /** Counted from 1 within its phase. */
  readonly epoch: number
  readonly learningRate: number
  readonly trainLoss: number
  /** Fraction of training images (augmented, seen during the epoch) classified rightly. */
  readonly trainAccuracy: number
  readonly validationLoss?: number
  readonly validationAccuracy?: number
  /** Fraction of zeros over all quantized weights; absent for a float network. */
  readonly zeros?: number
}

export type TrainEvent =
  | {
      readonly kind: 'start'
      readonly epochs: number
      readonly stepsPerEpoch: number
      readonly resumedAt?: string
    }
  | {
      readonly kind: 'phase'
      readonly phase: EpochRecord['phase']
      readonly epochs: number
      /** What of the step is left to the standard operators. */
      readonly fallbacks: readonly Fallback[]
    }
  | {
      readonly kind: 'progress'
      readonly phase: EpochRecord['phase']
      readonly epoch: number
      readonly step: number
      readonly stepsPerEpoch: number
      /** Mean over the epoch so far. */
      readonly loss: number
      readonly stepMs: number
    }
  | {
      readonly kind: 'epoch'
      readonly record: EpochRecord
      readonly elapsedMs: number
      readonly isBest: boolean
    }
  | { readonly kind: 'done'; readonly selected: EpochRecord; readonly elapsedMs: number }
