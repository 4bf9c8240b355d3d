/** Every operator of the graph: its shape rule and its derivative. Lowerings are the engine's. */
import { convolution } from './convolution.ts'
import { elementwise } from './elementwise.ts'
import type { OperatorEntry, OperatorTable } from './entry.ts'
import { layout } from './layout.ts'
import { linear } from './linear.ts'
import { normalization } from './normalization.ts'
import { pooling } from './pooling.ts'
import { reduction } from './reduction.ts'

export const operatorTable: OperatorTable = {
  ...convolution,
  ...elementwise,
  ...layout,
  ...linear,
  ...normalization,
  ...pooling,
  ...reduction,
}

/** The names of all operators. */
export const operatorNames = Object.keys(operatorTable) as (keyof OperatorTable)[]

export function operatorEntry<Name extends keyof OperatorTable>(name: Name): OperatorEntry<Name> {
  return operatorTable[name] as OperatorEntry<Name>
}
