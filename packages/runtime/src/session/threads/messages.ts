/** What a session and its workers say to each other. */
import type { PackedModel } from '../../file/types.ts'
import type { ComputeOptions } from '../open.ts'
import type { SharedBatch } from './shared-batch.ts'

/** The first message to a worker: a model to plan, or a compiled network. */
export type LoadMessage =
  | { readonly model: PackedModel; readonly options: ComputeOptions }
  | { readonly module: WebAssembly.Module }

/** Images for this worker alone: one array for each input of the model. The answer brings the outputs. */
export interface RunMessage {
  readonly images: number
  readonly inputs: readonly Float32Array[]
}

/** A batch of which every thread takes images. */
export interface ShareMessage {
  readonly batch: SharedBatch
}

export type Message = LoadMessage | RunMessage | ShareMessage

/** The answer to each: the outputs of a run of images for one worker, or what went wrong. */
export interface Answer {
  readonly outputs?: readonly Float32Array[]
  readonly error?: unknown
}

/** A worker as its owner sees it, whatever the host. */
export interface Thread {
  post(message: Message, transfer: readonly ArrayBuffer[]): void
  /** Called with every answer, and with an error where the worker ends or never begins. */
  listen(answer: (answer: Answer) => void): void
  /** Whether the process waits for this worker. */
  hold(waiting: boolean): void
  end(): void
}
