/** The arithmetic of a step. */

import type { PackedNode } from '../file/types.ts'
import type { ByteStep } from './integer/byte-step.ts'
import type { Kernel } from './kernel.ts'
import { type Shape, sizeOf } from './shape.ts'
import type { LinearStep, Step } from './steps.ts'

/**
 * Additions (subtractions count as such) and multiplications (so do divisions) of one image.
 *
 * - A ternary layer run from lists: one addition for each non-zero weight and output position, and for each
 *   output value two multiplications, or one where both magnitudes are equal. Where neighbouring inputs are added
 *   beforehand (`numbers/pairs.ts`), two additions for each number of the padded input, and one for each list entry instead of
 *   each weight.
 * - Any other Conv, Gemm or MatMul: one of each for every weight and output position, zeros included, because
 *   such kernels do not look at the weight.
 * - A ternary layer on bytes: the same additions, two multiplications for each output value, a third one for a
 *   residual. Conversions between bytes and numbers: one of each a value.
 * - A bias and a fused residual: one addition for each output value.
 * - Mean over n values: n − 1 additions and one multiplication. Sum, Add, Sub: one addition a term less one.
 *   Mul, Div: one multiplication an output value. Batch norm: one of each an output value.
 * - Comparisons (Relu, Clip, MaxPool), copies and the transcendental part of Sigmoid, Tanh and Softmax
 *   count nothing.
 */
export interface Arithmetic {
  readonly additions: number
  readonly multiplications: number
}

export function countArithmetic(step: Step, kernel: Kernel, shapes: ReadonlyMap<string, Shape>): Arithmetic {
  if (step.kind === 'bytes') return countBytes(step, shapes)
  return step.kind === 'linear' ? countLinear(step, kernel, shapes) : countNode(step.node, shapes)
}

function countBytes({ node, operation, output }: ByteStep, shapes: ReadonlyMap<string, Shape>): Arithmetic {
  const outputs = sizeOf(shapes.get(output)!)
  switch (operation.op) {
    case 'convolution': {
      const { linear, residual } = operation
      const added = residual === undefined ? 1 : 2
      return {
        additions: (linear.nonZeros * outputs) / linear.filters + added * outputs,
        multiplications: (1 + added) * outputs,
      }
    }
    case 'dense': {
      const products = (sizeOf(operation.linear.weight.shape) * outputs) / operation.linear.filters
      return { additions: products + outputs, multiplications: products + outputs }
    }
    case 'matrix': {
      // By lookup as well: a table's sums stand for the additions.
      const { layer, nonZeros } = operation
      const bias = layer.bias === undefined ? 1 : 2
      return {
        additions: nonZeros + bias * outputs,
        multiplications: 2 * outputs,
      }
    }
    case 'quantize':
    case 'dequantize':
      return { additions: outputs, multiplications: outputs }
    case 'mean':
      return countNode(node, shapes)
    case 'spread':
    case 'maximum':
    case 'pair-maximum':
    case 'move':
      return { additions: 0, multiplications: 0 }
    default:
      return operation satisfies never
  }
}

function countLinear(step: LinearStep, kernel: Kernel, shapes: ReadonlyMap<string, Shape>): Arithmetic {
  const outputs = sizeOf(shapes.get(step.output)!)
  const perOutput = (step.bias === undefined ? 0 : 1) + (step.residual === undefined ? 0 : 1)
  const positions = outputs / step.filters
  const { weight } = step
  if (weight.kind === 'ternary' && (kernel.name === 'add-lists' || kernel.name === 'gather-lists')) {
    const terms = kernel.name === 'add-lists' ? kernel.entries : step.nonZeros
    const sums = kernel.layout?.sums?.floats ?? 0
    return {
      additions: terms * positions + sums + perOutput * outputs,
      multiplications: (kernel.magnitudes === 'equal' ? 1 : 2) * outputs,
    }
  }
  const products = sizeOf(weight.shape) * positions
  return { additions: products + perOutput * outputs, multiplications: products }
}

function countNode(node: PackedNode, shapes: ReadonlyMap<string, Shape>): Arithmetic {
  const x = shapes.get(node.inputs[0]!)!
  const outputs = sizeOf(shapes.get(node.outputs[0]!)!)
  const terms = sizeOf(x) - outputs
  switch (node.op) {
    case 'Conv':
    case 'Gemm':
    case 'MatMul': {
      const weight = shapes.get(node.inputs[1]!)!
      const depth =
        node.op === 'Conv'
          ? sizeOf(weight.slice(1))
          : x[node.op === 'Gemm' && node.attributes.transA ? 0 : x.length - 1]!
      const products = depth * outputs
      return { additions: products + (node.inputs.length > 2 ? outputs : 0), multiplications: products }
    }
    case 'Add':
    case 'Sub':
      return { additions: outputs, multiplications: 0 }
    case 'Mul':
    case 'Div':
      return { additions: 0, multiplications: outputs }
    case 'BatchNormalization':
    case 'HardSigmoid':
      return { additions: outputs, multiplications: outputs }
    case 'HardSwish':
      return { additions: outputs, multiplications: 2 * outputs }
    case 'AveragePool': {
      const area = node.attributes.kernel[0] * node.attributes.kernel[1]
      return { additions: (area - 1) * outputs, multiplications: outputs }
    }
    case 'GlobalAveragePool':
    case 'ReduceMean':
      return { additions: terms, multiplications: outputs }
    case 'ReduceSum':
      return { additions: terms, multiplications: 0 }
    case 'Softmax':
    case 'LogSoftmax':
      return { additions: 2 * outputs, multiplications: node.op === 'Softmax' ? outputs : 0 }
    default:
      return { additions: 0, multiplications: 0 }
  }
}
