/** Which kernel computes a node in numbers that has none of those for layers, copies and the simplest operators. */
import type { PackedNode } from '../../file/types.ts'
import type { Choice, Kernel } from '../kernel.ts'
import { wholeMovement } from '../moves.ts'
import { broadcastStrides, type Shape, sameShape, sizeOf } from '../shape.ts'
import { resolveAxes, resolveAxis } from '../shape-rules.ts'
import type { FoldShape, ProductShape } from './kernel.ts'

export function chooseGeneralKernel(node: PackedNode, shapes: ReadonlyMap<string, Shape>): Choice {
  const inputs = node.inputs.map(name => shapes.get(name)!)
  const x = inputs[0]!
  const output = shapes.get(node.outputs[0]!)!
  const choose = (reason: string, kernel: Kernel): Choice => ({ kernel, reason })
  switch (node.op) {
    case 'Sigmoid':
    case 'Tanh':
    case 'HardSwish':
      return choose('elementwise', { name: 'map', function: { op: node.op } })
    case 'HardSigmoid':
      return choose('elementwise', { name: 'map', function: { op: node.op, ...node.attributes } })
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
      return choose(sameShape(x, inputs[1]!) ? 'elementwise' : 'elementwise, sizes of 1 stretch', {
        name: 'broadcast',
        op: node.op,
      })
    case 'BatchNormalization':
      return choose('no layer before it takes it in', {
        name: 'normalize',
        epsilon: node.attributes.epsilon,
      })
    case 'Softmax':
    case 'LogSoftmax': {
      const shape = around(x, resolveAxis(node.attributes.axis, x.length, node.name))
      const logarithm = node.op === 'LogSoftmax'
      const workFloats = (logarithm ? 2 : 1) * shape.outer * shape.inner
      return choose('largest number, exponentials, sum and quotients in turn', {
        name: 'softmax',
        logarithm,
        workFloats,
        ...shape,
      })
    }
    case 'ReduceMean':
    case 'ReduceSum':
      return folds(x, resolveAxes(node.attributes.axes, x.length, node.name), node.op === 'ReduceMean')
    case 'MaxPool':
    case 'AveragePool': {
      const { kernel, strides, pads } = node.attributes
      return choose('windows that differ at the border, of a batch or very large', {
        name: 'window',
        geometry: { kernel, strides, pads, dilations: [1, 1] },
        folds:
          node.op === 'MaxPool'
            ? { fold: 'max' }
            : { fold: 'mean', countsPads: node.attributes.countIncludePad },
        groups: 1,
      })
    }
    case 'Conv': {
      const { groups, ...geometry } = node.attributes
      const kernel = inputs[1]!.slice(2) as [number, number]
      return choose('no layer of one image with stored weights', {
        name: 'window',
        geometry: { kernel, ...geometry },
        folds: { fold: 'dot', hasBias: inputs.length > 2 },
        groups,
      })
    }
    case 'Gemm':
    case 'MatMul':
      return choose('no layer with stored weights and a bias for each output', {
        name: 'product',
        ...productOf(node, inputs, output),
      })
    default:
      return choose('a stored tensor under another name', {
        name: 'copy',
        movement: wholeMovement(sizeOf(x)),
      })
  }
}

const around = (shape: Shape, axis: number, end = axis + 1): FoldShape => ({
  outer: sizeOf(shape.slice(0, axis)),
  size: sizeOf(shape.slice(axis, end)),
  inner: sizeOf(shape.slice(end)),
})

/** The last run of summed axes first, so that every further one has less to read. */
function folds(x: Shape, axes: readonly number[], mean: boolean): Choice {
  const summed = new Set(axes)
  let shape = [...x]
  const passes: FoldShape[] = []
  for (let end = x.length; end > 0; end--) {
    if (!summed.has(end - 1)) continue
    let first = end - 1
    while (summed.has(first - 1)) first--
    passes.push(around(shape, first, end))
    shape = shape.map((size, axis) => (axis >= first && axis < end ? 1 : size))
    end = first + 1
  }
  const scale = mean ? sizeOf(shape) / sizeOf(x) : 1
  const between = passes.slice(0, -1)
  const workFloats = between.reduce((sum, { outer, inner }) => sum + outer * inner, 0)
  // Without axes every number is a sum of one.
  const kept = { outer: 1, size: 1, inner: sizeOf(x) }
  return {
    kernel: { name: 'fold', passes: passes.length === 0 ? [kept] : passes, scale, workFloats },
    reason: 'the summed axes are not the last ones',
  }
}

function productOf(
  node: Extract<PackedNode, { readonly op: 'Gemm' | 'MatMul' }>,
  [a, b, c]: readonly Shape[],
  output: Shape,
): ProductShape & { readonly workFloats: number } {
  const { alpha, beta, transA, transB } =
    node.op === 'Gemm' ? node.attributes : { alpha: 1, beta: 1, transA: false, transB: false }
  const [rows, columns] = output.slice(-2) as [number, number]
  const inner = a!.at(transA ? -2 : -1)!
  const stack = output.slice(0, -2)
  const [aSteps, bSteps] = [a!, b!].map(shape => broadcastStrides(shape.slice(0, -2), stack.length))
  return {
    rows,
    inner,
    columns,
    transA,
    transB,
    alpha,
    beta: c === undefined ? undefined : beta,
    stack: stack.map((size, axis) => ({ size, steps: [aSteps![axis]!, bSteps![axis]!] })),
    workFloats: transB ? inner * columns : 0,
  }
}
