/** Folds batch norm into the convolution or fully connected layer before it. */
import { expectF32, f32, SternaError, type Tensor } from '../../core/index.ts'
import type { GraphNode, Model } from '../types.ts'
import { countReaders, heldTensors, rebuildModel } from './rebuild-model.ts'

export interface FoldedBatchNorm {
  readonly model: Model
  /**
   * For each weight that was folded into, what every output filter was multiplied with (may be negative or 0):
   * a ternary weight stays ternary with these as magnitudes per filter.
   */
  readonly scales: ReadonlyMap<string, Float64Array>
}

/**
 * y = γ (x − μ) / √(σ² + ε) + β over x = w ∗ input + b becomes (w·s) ∗ input + (b − μ)·s + β with
 * s = γ / √(σ² + ε) per output filter. Where the layer before is shared, read elsewhere, or not a Conv or a
 * Gemm with `transB`, batch norm becomes one Mul and one Add per channel instead. Numbers are computed in
 * binary64 and rounded once.
 */
export function foldBatchNorm(model: Model): FoldedBatchNorm {
  const tensors = heldTensors(model)
  const readers = countReaders(model.graph.nodes, model.graph.outputs)
  const scales = new Map<string, Float64Array>()
  const nodes: GraphNode[] = []
  const producer = new Map<string, number>()
  const append = (node: GraphNode) => {
    for (const output of node.outputs) producer.set(output, nodes.length)
    nodes.push(node)
  }
  for (const node of model.graph.nodes) {
    if (node.op !== 'BatchNormalization') {
      append(node)
      continue
    }
    const { scale, shift } = affine(node, tensors)
    const input = node.inputs[0]!
    const at = producer.get(input)
    const layer = at === undefined ? undefined : nodes[at]
    const weight = layer === undefined ? undefined : foldableWeight(layer, tensors, readers)
    if (at !== undefined && layer !== undefined && weight !== undefined && readers.get(input) === 1) {
      nodes[at] = foldInto(layer, weight, node, { scale, shift }, tensors)
      producer.set(node.outputs[0]!, at)
      const known = scales.get(layer.inputs[1]!)
      scales.set(
        layer.inputs[1]!,
        known === undefined ? scale : scale.map((s, channel) => s * known[channel]!),
      )
      continue
    }
    const rank = model.graph.values.get(input)!.shape.length
    for (const applied of multiplyAndAdd(node, rank, { scale, shift }, tensors)) append(applied)
  }
  return { model: rebuildModel(model, nodes, tensors), scales }
}

interface Affine {
  readonly scale: Float64Array
  readonly shift: Float64Array
}

function affine(
  node: GraphNode & { op: 'BatchNormalization' },
  tensors: ReadonlyMap<string, Tensor>,
): Affine {
  const [gamma, beta, mean, variance] = node.inputs
    .slice(1)
    .map(name => expectF32(tensors.get(name), name).data)
  const scale = Float64Array.from(
    gamma!,
    (g, channel) => g / Math.sqrt(variance![channel]! + node.attributes.epsilon),
  )
  const shift = Float64Array.from(beta!, (b, channel) => b - mean![channel]! * scale[channel]!)
  const bad = scale.findIndex((s, channel) => !Number.isFinite(s) || !Number.isFinite(shift[channel]!))
  if (bad !== -1) {
    throw new SternaError(
      'tensor/invalid',
      `batch norm "${node.name}", channel ${bad}: its statistics are not finite`,
      {
        hint: 'A variance is negative or a parameter is not a number: the network was damaged in training.',
      },
    )
  }
  return { scale, shift }
}

/** The weight [O, …] that batch norm after `layer` can be folded into. */
function foldableWeight(
  layer: GraphNode,
  tensors: ReadonlyMap<string, Tensor>,
  readers: ReadonlyMap<string, number>,
): Tensor<'f32'> | undefined {
  if (layer.op === 'Gemm') {
    const { alpha, beta, transA, transB } = layer.attributes
    if (alpha !== 1 || beta !== 1 || transA || !transB) return undefined
  } else if (layer.op !== 'Conv') {
    return undefined
  }
  const [, weight, bias] = layer.inputs
  if (weight === undefined || readers.get(weight) !== 1 || !tensors.has(weight)) return undefined
  if (bias !== undefined && !tensors.has(bias)) return undefined
  return expectF32(tensors.get(weight), weight)
}

function foldInto(
  layer: GraphNode,
  weight: Tensor<'f32'>,
  norm: GraphNode,
  { scale, shift }: Affine,
  tensors: Map<string, Tensor>,
): GraphNode {
  const filters = scale.length
  const perFilter = weight.data.length / filters
  tensors.set(
    layer.inputs[1]!,
    f32(
      weight.shape,
      weight.data.map((value, index) => value * scale[Math.floor(index / perFilter)]!),
    ),
  )
  const old =
    layer.inputs[2] === undefined ? undefined : expectF32(tensors.get(layer.inputs[2]), layer.inputs[2]).data
  // A Gemm's bias may be one number for all.
  const bias = Float32Array.from(shift, (b, channel) => {
    const before = old === undefined ? 0 : old[old.length === 1 ? 0 : channel]!
    return before * scale[channel]! + b
  })
  const name = freshName(`${layer.name}.folded-bias`, tensors)
  tensors.set(name, f32([filters], bias))
  return { ...layer, inputs: [layer.inputs[0]!, layer.inputs[1]!, name], outputs: norm.outputs } as GraphNode
}

function multiplyAndAdd(
  norm: GraphNode,
  rank: number,
  { scale, shift }: Affine,
  tensors: Map<string, Tensor>,
): readonly GraphNode[] {
  const shape = [scale.length, ...Array.from({ length: rank - 2 }, () => 1)]
  const factor = freshName(`${norm.name}.factor`, tensors)
  tensors.set(factor, f32(shape, scale))
  const summand = freshName(`${norm.name}.summand`, tensors)
  tensors.set(summand, f32(shape, shift))
  const product = `${norm.name}.product`
  return [
    {
      op: 'Mul',
      name: product,
      inputs: [norm.inputs[0]!, factor],
      outputs: [`${product}:out`],
      attributes: {},
    },
    {
      op: 'Add',
      name: norm.name,
      inputs: [`${product}:out`, summand],
      outputs: norm.outputs,
      attributes: {},
    },
  ]
}

function freshName(stem: string, tensors: ReadonlyMap<string, Tensor>): string {
  let name = stem
  for (let count = 2; tensors.has(name); count++) name = `${stem}${count}`
  return name
}
