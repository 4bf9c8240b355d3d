/** Brings fully connected layers into the one form that other passes and the runtime work on: x · wᵀ + b. */
import { f32, type Tensor } from '../../core/index.ts'
import type { GraphNode, Model } from '../types.ts'
import { countReaders, heldTensors, rebuildModel } from './rebuild-model.ts'

/**
 * A Gemm without `transB` and a MatMul of a matrix with a weight [I, O] become a Gemm with `transB` and the
 * weight [O, I] under the same name. Weights in `except`, and those that another node reads, stay as they are.
 */
export function transposeWeights(model: Model, except: ReadonlySet<string>): Model {
  const tensors = heldTensors(model)
  const readers = countReaders(model.graph.nodes, model.graph.outputs)
  const nodes = model.graph.nodes.map((node): GraphNode => {
    if (node.op !== 'MatMul' && !(node.op === 'Gemm' && !node.attributes.transB)) return node
    const [input, name] = node.inputs as readonly [string, string]
    const weight = tensors.get(name)
    if (weight?.dtype !== 'f32' || weight.shape.length !== 2 || readers.get(name) !== 1 || except.has(name))
      return node
    if (model.graph.values.get(input)!.shape.length !== 2) return node
    tensors.set(name, transposed(weight as Tensor<'f32'>))
    const plain = { alpha: 1, beta: 1, transA: false }
    return {
      ...node,
      op: 'Gemm',
      attributes: { ...(node.op === 'Gemm' ? node.attributes : plain), transB: true },
    }
  })
  return rebuildModel(model, nodes, tensors)
}

function transposed({ shape, data }: Tensor<'f32'>): Tensor<'f32'> {
  const [rows, columns] = shape as readonly [number, number]
  const result = new Float32Array(data.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = data[row * columns + column]!
  }
  return f32([columns, rows], result)
}
