/** What the main thread asks of the engine's worker thread, and what it gets back. */
import type { Tensor } from '../core/index.ts'
import type { MemoryOrder } from './memory-order.ts'
import type { EngineDevice } from './types.ts'

export interface ProgramDescription {
  readonly name: string
  /** An ONNX file. */
  readonly model: Uint8Array
  readonly parameters: readonly string[]
  /** Graph output -> ONNX output, for the outputs that are handed back. */
  readonly outputs: ReadonlyMap<string, string>
  /** Parameter -> ONNX output that is its next value. */
  readonly state: ReadonlyMap<string, string>
  /** How parameters lie in the engine's memory, where it is not row-major. */
  readonly orders: ReadonlyMap<string, MemoryOrder>
  /** Parameters whose next value is written where they lie. */
  readonly inPlace: ReadonlySet<string>
}

/** How ONNX Runtime's sessions run. */
export interface SessionChoice {
  readonly device: EngineDevice
  readonly threads: number
  /** Threads without work spin without end instead of for a moment. */
  readonly spin: boolean
  /** Where the device is a GPU, refuses graphs of which part would run on the CPU. */
  readonly strict: boolean
}

/** Executables are known by number. */
export interface WorkerCalls {
  open: { request: SessionChoice; result: null }
  load: { request: { readonly executable: number; readonly program: ProgramDescription }; result: null }
  setState: {
    request: { readonly executable: number; readonly tensors: ReadonlyMap<string, Tensor> }
    result: null
  }
  getState: {
    request: { readonly executable: number; readonly names: readonly string[] }
    result: Map<string, Tensor>
  }
  copyState: {
    request: { readonly executable: number; readonly from: number; readonly names: readonly string[] }
    result: null
  }
  run: {
    request: { readonly executable: number; readonly inputs: Readonly<Record<string, Tensor>> }
    /** The inputs' memory comes back to be used again. */
    result: { readonly outputs: Record<string, Tensor>; readonly inputs: readonly Tensor[] }
  }
  release: { request: { readonly executable: number }; result: null }
  close: { request: Readonly<Record<string, never>>; result: null }
}

export type WorkerCall = keyof WorkerCalls

/** The way to an engine, in a worker thread or in this one. Calls are carried out in their order. */
export interface EngineCalls {
  /** `where` names the graph or the step in errors; `transfer` moves memory instead of copying it. */
  call<Call extends WorkerCall>(
    call: Call,
    request: WorkerCalls[Call]['request'],
    where: string,
    transfer?: readonly ArrayBuffer[],
  ): Promise<WorkerCalls[Call]['result']>
}

export type WorkerRequest = {
  [Call in WorkerCall]: {
    readonly id: number
    readonly call: Call
    readonly request: WorkerCalls[Call]['request']
  }
}[WorkerCall]

export type WorkerResponse =
  | { readonly id: number; readonly result: WorkerCalls[WorkerCall]['result'] }
  | { readonly id: number; readonly failure: string }
