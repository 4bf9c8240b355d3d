/** The standard lowering: for every operator of the graph, how ONNX says it. */
import { convolution } from './convolution.ts'
import { elementwise } from './elementwise.ts'
import type { RuleTable } from './emission.ts'
import { layout } from './layout.ts'
import { linear } from './linear.ts'
import { normalization } from './normalization.ts'
import { pooling } from './pooling.ts'
import { reduction } from './reduction.ts'

export const standardRules: RuleTable = {
  ...convolution,
  ...elementwise,
  ...layout,
  ...linear,
  ...normalization,
  ...pooling,
  ...reduction,
}
