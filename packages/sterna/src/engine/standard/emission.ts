/** What a rule of the standard lowering gets, and the shape of the table of rules. */
import type { OperatorName, Operators, Value } from '../../graph/index.ts'
import type { OnnxEmitter } from '../onnx-emitter.ts'
import type { EngineDevice } from '../types.ts'

export interface Emission<Name extends OperatorName> {
  readonly e: OnnxEmitter
  readonly inputs: readonly Value[]
  /** The names of the inputs, in order. */
  readonly names: readonly string[]
  readonly outputs: readonly Value[]
  /** The name of output 0. */
  readonly out: string
  readonly attributes: Operators[Name]
  readonly device: EngineDevice
}

/** Emits ONNX nodes that define every name in `outputs`. */
export type Rule<Name extends OperatorName> = (emission: Emission<Name>) => void

export type RuleTable = { readonly [Name in OperatorName]: Rule<Name> }
