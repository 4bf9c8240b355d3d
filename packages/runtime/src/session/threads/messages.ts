/** What a session and its workers say to each other. */
import type { PackedModel } from '../../file/types.ts'
import type { ComputeOptions } from '../open.ts'

/** The first message to a worker. */
export interface LoadMessage {
  readonly model: PackedModel
  readonly options: ComputeOptions
}

/** Images to run. */
export interface RunMessage {
  readonly images: number
  /** One array for each input of the model. */
  readonly inputs: readonly Float32Array[]
  /** In shared memory; without it the images are this worker's alone and the answer brings the outputs. */
  readonly shared?: SharedBatch
}

/** What workers share that run the same images together. */
export interface SharedBatch {
  /** One for each output. */
  readonly outputs: readonly Float32Array[]
  /** [the first image that no worker has taken yet] */
  readonly next: Int32Array
}

/** The answer to either: the outputs of a run that was given none, or what went wrong. */
export interface Answer {
  readonly outputs?: readonly Float32Array[]
  readonly error?: unknown
}

/** A worker as its owner sees it, whatever the host. */
export interface Thread {
  post(message: LoadMessage | RunMessage, transfer: readonly ArrayBuffer[]): void
  /** Called with every answer, and with an error where the worker ends or never begins. */
  listen(answer: (answer: Answer) => void): void
  /** Whether the process waits for this worker. */
  hold(waiting: boolean): void
  end(): void
}
