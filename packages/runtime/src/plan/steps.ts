/** A model as the sequence of steps one image runs through: a layer with what is fused into it, or one node. */
import type { PackedModel, PackedNode, PackedTensor } from '../file/types.ts'
import type { SignLists } from '../tensors.ts'
import { listsOf } from '../ternary-lists.ts'
import type { ByteStep } from './integer/byte-step.ts'
import type { Window } from './numbers/window.ts'
import { type Shape, sameShape } from './shape.ts'

/** Bounds of a fused Relu or Clip. */
export interface Bounds {
  readonly min: number
  readonly max: number
}

/**
 * Conv, Gemm or MatMul with stored weights: output o = alpha · Σ_k weight(o, k) · input(o, k) + bias(o),
 * plus a residual, inside bounds.
 */
export interface LinearStep {
  readonly kind: 'linear'
  readonly node: PackedNode
  /** Nodes computed here: the layer, then what is fused into it. */
  readonly nodes: readonly PackedNode[]
  readonly input: string
  readonly weight: PackedTensor
  /** Where the weights of each filter are +1 and where −1; of ternary ones with `filtersFirst`. */
  readonly lists: SignLists | undefined
  /** How many weights of a ternary layer are not 0; of another layer, how many there are. */
  readonly nonZeros: number
  /** [O] */
  readonly bias: Float32Array | undefined
  readonly alpha: number
  readonly filters: number
  /** Weights of one filter. */
  readonly depth: number
  /** Whether the weights of one filter follow each other, or those of one input do. */
  readonly filtersFirst: boolean
  /** Vectors the weights are applied to: 1 for a Conv, the input's rows otherwise. */
  readonly rows: number
  /** Present for a Conv. */
  readonly convolution?: { readonly window: Window; readonly groups: number }
  readonly residual: string | undefined
  readonly bounds: Bounds | undefined
  readonly output: string
}

/** Any other node, on its own. */
export interface NodeStep {
  readonly kind: 'node'
  readonly node: PackedNode
  readonly output: string
}

export type Step = LinearStep | NodeStep | ByteStep

/** A node on its own. */
export const singleStep = (node: PackedNode): NodeStep => ({ kind: 'node', node, output: node.outputs[0]! })

/** Fuses Conv, Gemm and MatMul with the Add, then the Relu or Clip, that alone consume them. */
export function fuseSteps(model: PackedModel, shapes: ReadonlyMap<string, Shape>): (LinearStep | NodeStep)[] {
  const consumers = new Map<string, number[]>()
  for (const [index, node] of model.nodes.entries()) {
    for (const name of node.inputs) {
      const list = consumers.get(name)
      if (list === undefined) consumers.set(name, [index])
      else list.push(index)
    }
  }
  const outputs = new Set(model.outputs)
  const onlyConsumer = (name: string): number | undefined => {
    const list = consumers.get(name) ?? []
    return list.length === 1 && !outputs.has(name) ? list[0] : undefined
  }

  // A fused step runs where its last node stood: by then every residual has been computed. Layers are
  // visited backwards so that of two that meet in an Add the later one takes it.
  const steps = new Map<number, LinearStep | NodeStep>()
  const taken = new Set<number>()
  for (let index = model.nodes.length - 1; index >= 0; index--) {
    if (taken.has(index)) continue
    const layer = linearLayer(model, model.nodes[index]!, shapes)
    if (layer === undefined) {
      steps.set(index, singleStep(model.nodes[index]!))
      continue
    }
    const nodes = [layer.node]
    let position = index
    let output = layer.node.outputs[0]!
    let residual: string | undefined
    let bounds: Bounds | undefined
    for (;;) {
      const next = onlyConsumer(output)
      if (next === undefined || taken.has(next)) break
      const node = model.nodes[next]!
      if (node.op === 'Add' && residual === undefined) {
        const other = node.inputs[0] === output ? node.inputs[1]! : node.inputs[0]!
        if (model.tensors.has(other) || !sameShape(shapes.get(other)!, shapes.get(output)!)) break
        residual = other
      } else if (node.op === 'Relu') {
        bounds = { min: 0, max: Number.POSITIVE_INFINITY }
      } else if (node.op === 'Clip') {
        bounds = node.attributes
      } else {
        break
      }
      steps.delete(next)
      taken.add(next)
      nodes.push(node)
      position = next
      output = node.outputs[0]!
      if (bounds !== undefined) break
    }
    steps.set(position, { ...layer, nodes, residual, bounds, output })
  }
  return [...steps].sort(([a], [b]) => a - b).map(([, step]) => step)
}

type LinearLayer = Omit<LinearStep, 'nodes' | 'residual' | 'bounds' | 'output'>

/** What a node computes as a linear layer, or undefined where its weights are not stored. */
function linearLayer(
  model: PackedModel,
  node: PackedNode,
  shapes: ReadonlyMap<string, Shape>,
): LinearLayer | undefined {
  if (node.op !== 'Conv' && node.op !== 'Gemm' && node.op !== 'MatMul') return undefined
  const [input, weightName, biasName] = node.inputs as readonly [string, string, string?]
  const weight = model.tensors.get(weightName)
  const stored = biasName === undefined ? undefined : model.tensors.get(biasName)
  const bias = stored?.kind === 'dense' ? stored : undefined
  if (model.tensors.has(input) || weight === undefined) return undefined
  if (biasName !== undefined && bias === undefined) return undefined
  const inputShape = shapes.get(input)!

  if (node.op === 'Conv') {
    if (inputShape[0] !== 1) return undefined
    const [filters, channels, height, width] = weight.shape as readonly [number, number, number, number]
    const { strides, dilations, pads, groups } = node.attributes
    return {
      kind: 'linear',
      node,
      input,
      weight,
      ...listed(weight, true),
      bias: bias?.data,
      alpha: 1,
      filters,
      depth: channels * height * width,
      filtersFirst: true,
      rows: 1,
      convolution: { window: { kernel: [height, width], strides, dilations, pads }, groups },
    }
  }

  if (weight.shape.length !== 2) return undefined
  const { alpha, beta, transA, transB } =
    node.op === 'Gemm' ? node.attributes : { alpha: 1, beta: 1, transA: false, transB: false }
  if (transA) return undefined
  const [filters, depth] = transB
    ? [weight.shape[0]!, weight.shape[1]!]
    : [weight.shape[1]!, weight.shape[0]!]
  // One bias for each row of the input is not a bias of the layer.
  if (bias !== undefined && bias.shape.length === 2 && bias.shape[0] !== 1) return undefined
  const data = bias?.data
  return {
    kind: 'linear',
    node,
    input,
    weight,
    ...listed(weight, transB),
    bias: data && Float32Array.from({ length: filters }, (_, o) => beta * data[data.length === 1 ? 0 : o]!),
    alpha,
    filters,
    depth,
    filtersFirst: transB,
    rows: inputShape.slice(0, -1).reduce((rows, size) => rows * size, 1),
  }
}

function listed(weight: PackedTensor, filtersFirst: boolean): Pick<LinearStep, 'lists' | 'nonZeros'> {
  if (weight.kind === 'dense') return { lists: undefined, nonZeros: weight.data.length }
  const lists = listsOf(weight)
  return { lists: filtersFirst ? lists : undefined, nonZeros: lists.positions.length }
}
