/** The shape of an operator's table entry. */
import type { Shape } from '../../core/index.ts'
import type { GraphBuilder } from '../builder.ts'
import type { OperatorName, Operators, Value } from '../types.ts'

/** What a derivative rule may use: the node's edges and the gradients that arrive at its outputs. */
export interface Derivation<Name extends OperatorName> {
  readonly b: GraphBuilder
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly attributes: Operators[Name]
  /** dL/d output 0; rules for operators with one output need no more. */
  readonly gradient: Value
  /** Whether input i leads to something whose gradient is wanted: skip the work where it does not. */
  readonly wanted: (input: number) => boolean
}

export interface OperatorEntry<Name extends OperatorName> {
  readonly minInputs: number
  readonly maxInputs: number
  /** Output shapes, or a SternaError that starts with `where`. */
  infer(inputs: readonly Shape[], attributes: Operators[Name], where: string): readonly Shape[]
  /** dL/d input for each input (undefined: none flows). Absent: gradients cannot pass this operator. */
  derive?(derivation: Derivation<Name>): readonly (Value | undefined)[]
}

export type OperatorTable = { readonly [Name in OperatorName]: OperatorEntry<Name> }
