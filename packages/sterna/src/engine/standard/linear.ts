/** Matrix products. */
import { float, int } from '../onnx-emitter.ts'
import type { RuleTable } from './emission.ts'

export const linear = {
  MatMul: ({ e, names, out }) => e.emit('MatMul', names, {}, out),
  Gemm: ({ e, names, attributes: { alpha, beta, transA, transB }, out }) =>
    e.emit(
      'Gemm',
      names,
      { alpha: float(alpha), beta: float(beta), transA: int(transA ? 1 : 0), transB: int(transB ? 1 : 0) },
      out,
    ),
} satisfies Partial<RuleTable>
