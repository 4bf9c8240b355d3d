/** What the benchmark asks of a process that trains, ours or PyTorch's: lines of JSON, in turns. */

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
    /** PyTorch's side also says how fast its linear algebra library multiplies 1024 × 1024 matrices. */
    reply: { readonly description: string; readonly matrixProductGflops?: number }
  }
  run: {
    request: { readonly steps: number; readonly learningRate: number }
    /** The loss before each step. */
    reply: { readonly losses: readonly number[] }
  }
  memory: { request: object; reply: { readonly peakMemoryBytes: number } }
}

export type StepCall = keyof StepCalls
