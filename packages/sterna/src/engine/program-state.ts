/** Where a program's parameters live between runs: in CPU memory, or on the device. */
import type * as ort from 'onnxruntime-node'
import type { Tensor } from '../core/index.ts'
import type { ProgramDescription } from './worker-protocol.ts'

export interface ProgramState {
  set(name: string, value: Tensor): Promise<void>
  /** A copy. */
  get(name: string): Promise<Tensor>
  copyFrom(other: ProgramState, name: string): Promise<void>
  /** What the next run is fed. */
  feeds(): Readonly<Record<string, ort.Tensor>>
  /** For each ONNX output that is state: where to write it, or null to let the engine place it. */
  fetches(): Readonly<Record<string, ort.Tensor | null>>
  /** Takes over what a run has computed. */
  advance(results: Readonly<Record<string, ort.Tensor>>): void
  release(): Promise<void>
}

export type StateFactory = (program: ProgramDescription) => ProgramState
