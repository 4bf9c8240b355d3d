/** A lowering turns a graph of our operators into an ONNX model of operators that a device runs well. */
import type { OnnxModel } from '../formats/onnx/index.ts'
import type { MemoryOrder } from './memory-order.ts'
import type { EngineDevice, Fallback, LoweringName, Program } from './types.ts'

export interface LoweredProgram {
  /** Its inputs are the graph's inputs and parameters, under their names. */
  readonly model: OnnxModel
  /** Graph output -> ONNX output, for the outputs that are not state. */
  readonly outputs: ReadonlyMap<string, string>
  /** Parameter -> ONNX output that is its next value. */
  readonly state: ReadonlyMap<string, string>
  /** How parameters lie in memory, where it is not row-major. */
  readonly orders: ReadonlyMap<string, MemoryOrder>
  /** Parameters whose next value may be written where they lie; default: none. */
  readonly inPlace?: ReadonlySet<string>
  /** Default: none. */
  readonly fallbacks?: readonly Fallback[]
}

export interface Lowering {
  readonly name: LoweringName
  lower(program: Program, device: EngineDevice): LoweredProgram
}
