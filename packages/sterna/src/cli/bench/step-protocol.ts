/** What the benchmark asks of a process that trains, ours or PyTorch's: lines of JSON, in turns. */

import type { Fallback } from '../../engine/index.ts'

/** What is trained: a network of the zoo by a method, on one random batch. */
export interface StepWork {
  readonly model: string
  readonly method: string
  readonly batchSize: number
}

export interface StepCalls {
  /** Replies with what computes, for people. */
  build: {
    request: object
    reply: {
      readonly description: string
      /** Ours: why its lowering is used, and what it leaves to the standard operators. */
      readonly loweringReason?: string
      readonly fallbacks?: readonly Fallback[]
      /** PyTorch's: how fast its linear algebra library multiplies 1024 × 1024 matrices. */
      readonly matrixProductGflops?: number
    }
  }
  run: {
    request: { readonly steps: number; readonly learningRate: number }
    /** The loss before each step. */
    reply: { readonly losses: readonly number[] }
  }
  memory: { request: object; reply: { readonly peakMemoryBytes: number } }
}

export type StepCall = keyof StepCalls
