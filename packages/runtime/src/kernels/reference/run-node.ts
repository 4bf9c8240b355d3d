import type { PackedNode } from '../../file/types.ts'
import { movementOf } from '../../plan/moves.ts'
import { conv } from './convolution.ts'
import { mapBinary, mapUnary } from './elementwise.ts'
import type { View } from './kernel.ts'
import { gemm, matMul } from './matrix.ts'
import { move } from './movement.ts'
import { batchNormalization } from './normalization.ts'
import { averagePool, maxPool } from './pooling.ts'
import { globalAveragePool, reduceMean, reduceSum, softmaxAlong } from './reduction.ts'

const clamp = (x: number, min: number, max: number): number => (x < min ? min : x > max ? max : x)

/** Evaluates one node whose shapes `inferShapes` has checked: reads the inputs, writes the whole output. */
export function runNode(node: PackedNode, inputs: readonly View[], output: View): void {
  const x = inputs[0]!
  switch (node.op) {
    case 'Conv':
      return conv(node.attributes, inputs, output)
    case 'Gemm':
      return gemm(node.attributes, inputs, output)
    case 'MatMul':
      return matMul(node.attributes, inputs, output)
    case 'BatchNormalization':
      return batchNormalization(node.attributes, inputs, output)
    case 'Relu':
      return mapUnary(v => (v < 0 ? 0 : v), inputs, output)
    case 'Clip': {
      const { min, max } = node.attributes
      return mapUnary(v => clamp(v, min, max), inputs, output)
    }
    case 'Sigmoid':
      return mapUnary(v => 1 / (1 + Math.exp(-v)), inputs, output)
    case 'Tanh':
      return mapUnary(Math.tanh, inputs, output)
    case 'HardSigmoid': {
      const { alpha, beta } = node.attributes
      return mapUnary(v => clamp(alpha * v + beta, 0, 1), inputs, output)
    }
    case 'HardSwish':
      return mapUnary(v => v * clamp(v / 6 + 0.5, 0, 1), inputs, output)
    case 'Add':
      return mapBinary((a, b) => a + b, inputs, output)
    case 'Sub':
      return mapBinary((a, b) => a - b, inputs, output)
    case 'Mul':
      return mapBinary((a, b) => a * b, inputs, output)
    case 'Div':
      return mapBinary((a, b) => a / b, inputs, output)
    case 'MaxPool':
      return maxPool(node.attributes, inputs, output)
    case 'AveragePool':
      return averagePool(node.attributes, inputs, output)
    case 'GlobalAveragePool':
      return globalAveragePool(node.attributes, inputs, output)
    case 'ReduceMean':
      return reduceMean(node.attributes, inputs, output)
    case 'ReduceSum':
      return reduceSum(node.attributes, inputs, output)
    case 'Softmax':
      return softmaxAlong(node.attributes.axis, false, x, output)
    case 'LogSoftmax':
      return softmaxAlong(node.attributes.axis, true, x, output)
    case 'Transpose':
    case 'Pad':
    case 'Slice':
    case 'Concat': {
      const shapes = inputs.map(input => input.shape)
      return move(movementOf(node, shapes, output.shape), inputs, output)
    }
    case 'Flatten':
    case 'Reshape':
    case 'Squeeze':
    case 'Unsqueeze':
    case 'Dropout':
    case 'Identity':
      output.data.set(x.data)
      return
    default:
      return node satisfies never
  }
}
