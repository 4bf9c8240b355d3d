/** What an engine is: it holds programs (graphs with state) and runs them. */
import type { Tensor } from '../core/index.ts'
import type { Graph } from '../graph/index.ts'

/** 'cuda': NVIDIA, Linux x64, where ONNX Runtime's CUDA libraries have been installed. */
export type EngineDevice = 'cpu' | 'webgpu' | 'cuda'

/** How graphs are written for a device: 'fast' keeps feature maps in the blocks of the CPU's kernels. */
export type LoweringName = 'standard' | 'fast'

/**
 * A graph and what happens to its parameters. After every run the parameter named by a key of `state` takes
 * the value of the output that the key maps to; the other parameters stay as they were set.
 */
export interface Program {
  readonly graph: Graph
  readonly state: ReadonlyMap<string, string>
}

/** A node of a program's graph that the fast lowering leaves to the standard operators, and why. */
export interface Fallback {
  readonly node: string
  readonly reason: string
}

/** A program made ready. Runs are carried out in the order of the calls, so several may be queued. */
export interface Executable {
  /** The convolutions, and gradients of such, that have no blocked form; none where the lowering is the standard one. */
  readonly fallbacks: readonly Fallback[]
  /** Sets parameters by name; each must be set once before the first run. The tensors are copied. */
  setState(tensors: ReadonlyMap<string, Tensor>): Promise<void>
  /** Parameters by name (default: all), as they are after the runs called before. */
  getState(names?: Iterable<string>): Promise<Map<string, Tensor>>
  /** Copies parameters from another executable of the same engine without leaving the device. */
  copyStateFrom(other: Executable, names: Iterable<string>): Promise<void>
  /** The graph's outputs that are not state. The inputs are copied before this returns. */
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>
  release(): Promise<void>
}

export interface Engine {
  readonly device: EngineDevice
  /** Why this device runs, in words for a person. */
  readonly reason: string
  readonly lowering: LoweringName
  /** Why this lowering is used, in words for a person. */
  readonly loweringReason: string
  /** Threads of the CPU's kernels. */
  readonly threads: number
  load(program: Program): Promise<Executable>
  close(): Promise<void>
}
