/** Matrix products. */
import { sizeOf } from '../../core/index.ts'
import { float, int } from '../onnx-emitter.ts'
import type { RuleTable } from './emission.ts'

export const linear = {
  // On the CPU a matrix product of a row and a column: nothing is written but the sum.
  Dot: ({ e, names, inputs, device, out }) => {
    const size = sizeOf(inputs[0]!.shape)
    if (device === 'webgpu') {
      const product = e.reshape(e.emit('Mul', names), [size])
      e.emit('ReduceSum', [product, e.integers([0])], { keepdims: int(0) }, out)
    } else {
      const rows = names.map(name => e.reshape(name, [1, size]))
      e.reshape(e.emit('Gemm', rows, { transB: int(1) }), [], out)
    }
  },
  MatMul: ({ e, names, out }) => e.emit('MatMul', names, {}, out),
  Gemm: ({ e, names, attributes: { alpha, beta, transA, transB }, out }) =>
    e.emit(
      'Gemm',
      names,
      { alpha: float(alpha), beta: float(beta), transA: int(transA ? 1 : 0), transB: int(transB ? 1 : 0) },
      out,
    ),
} satisfies Partial<RuleTable>
