import type { PackedNode } from '../../file/types.ts'
import type { InferenceOperatorName } from '../../operators.ts'
import { type MovingNode, movementOf } from '../../plan/moves.ts'
import { conv } from './convolution.ts'
import { mapBinary, mapUnary } from './elementwise.ts'
import type { ReferenceKernel, View } from './kernel.ts'
import { gemm, matMul } from './matrix.ts'
import { move } from './movement.ts'
import { batchNormalization } from './normalization.ts'
import { averagePool, maxPool } from './pooling.ts'
import { globalAveragePool, reduceMean, reduceSum, softmaxAlong } from './reduction.ts'

type AnyKernel = (attributes: unknown, inputs: readonly View[], output: View) => void

const clamp = (x: number, min: number, max: number): number => (x < min ? min : x > max ? max : x)

const unary =
  (f: (x: number) => number): AnyKernel =>
  (_, inputs, output) =>
    mapUnary(f, inputs, output)

const binary =
  (f: (a: number, b: number) => number): AnyKernel =>
  (_, inputs, output) =>
    mapBinary(f, inputs, output)

const same: AnyKernel = (_, [x], output) => output.data.set(x!.data)

const moving =
  <Op extends MovingNode['op']>(op: Op): ReferenceKernel<Op> =>
  (attributes, inputs, output) => {
    const shapes = inputs.map(input => input.shape)
    move(movementOf({ op, attributes } as MovingNode, shapes, output.shape), inputs, output)
  }

const kernels: { readonly [Name in InferenceOperatorName]: ReferenceKernel<Name> } = {
  Conv: conv,
  Gemm: gemm,
  MatMul: matMul,
  BatchNormalization: batchNormalization,
  Relu: unary(x => (x < 0 ? 0 : x)),
  Clip: ({ min, max }, inputs, output) => mapUnary(x => clamp(x, min, max), inputs, output),
  Sigmoid: unary(x => 1 / (1 + Math.exp(-x))),
  Tanh: unary(Math.tanh),
  HardSigmoid: ({ alpha, beta }, inputs, output) =>
    mapUnary(x => clamp(alpha * x + beta, 0, 1), inputs, output),
  HardSwish: unary(x => x * clamp(x / 6 + 0.5, 0, 1)),
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  ReduceMean: reduceMean,
  ReduceSum: reduceSum,
  Flatten: same,
  Reshape: same,
  Transpose: moving('Transpose'),
  Pad: moving('Pad'),
  Slice: moving('Slice'),
  Concat: moving('Concat'),
  Squeeze: same,
  Unsqueeze: same,
  Softmax: ({ axis }, [x], output) => softmaxAlong(axis, false, x!, output),
  LogSoftmax: ({ axis }, [x], output) => softmaxAlong(axis, true, x!, output),
  Dropout: same,
  Identity: same,
}

/** Evaluates one node whose shapes `inferShapes` has checked: reads the inputs, writes the whole output. */
export function runNode(node: PackedNode, inputs: readonly View[], output: View): void {
  const kernel = kernels[node.op] as ReferenceKernel<InferenceOperatorName>
  kernel(node.attributes, inputs, output)
}
