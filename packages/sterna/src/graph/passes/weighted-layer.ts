/** Conv and Gemm seen alike: output filters, input channels and the weights between them. */
import type { Tensor } from '../../core/index.ts'
import type { GraphNode } from '../types.ts'

export interface WeightedLayer {
  readonly node: GraphNode & { readonly op: 'Conv' | 'Gemm' }
  /** Every output reads every input channel, or each output its own one. */
  readonly kind: 'full' | 'depthwise'
  readonly weightName: string
  readonly biasName: string | undefined
  readonly outputs: number
  readonly inputs: number
  /** Weights between one input channel and one output: kH × kW of a convolution, 1 of a Gemm. */
  readonly taps: number
  /** Whether some positions read zeros from beyond the border. */
  readonly isPadded: boolean
}

/**
 * The node as a layer whose weight (and bias) this model holds and no other node reads; undefined for grouped
 * convolutions other than depthwise ones, and for a Gemm that is not x · wᵀ + b.
 */
export function weightedLayer(
  node: GraphNode,
  tensors: ReadonlyMap<string, Tensor>,
  readers: ReadonlyMap<string, number>,
): WeightedLayer | undefined {
  if (node.op !== 'Conv' && node.op !== 'Gemm') return undefined
  const [input = '', weightName = '', biasName] = node.inputs
  if (tensors.has(input)) return undefined
  const weight = tensors.get(weightName)
  if (weight?.dtype !== 'f32' || readers.get(weightName) !== 1) return undefined
  const outputs = weight.shape[0]!
  if (biasName !== undefined) {
    const bias = tensors.get(biasName)
    if (bias?.dtype !== 'f32' || readers.get(biasName) !== 1 || bias.data.length !== outputs) return undefined
  }
  const common = { node, weightName, biasName, outputs }
  const perChannel = weight.shape[1]!
  if (node.op === 'Gemm') {
    const { alpha, beta, transA, transB } = node.attributes
    if (alpha !== 1 || beta !== 1 || transA || !transB) return undefined
    return { ...common, kind: 'full', inputs: perChannel, taps: 1, isPadded: false }
  }
  const { groups, pads } = node.attributes
  const taps = weight.shape[2]! * weight.shape[3]!
  const isPadded = pads.some(pad => pad > 0)
  if (groups === 1) return { ...common, kind: 'full', inputs: perChannel, taps, isPadded }
  if (groups !== outputs || perChannel !== 1) return undefined
  return { ...common, kind: 'depthwise', inputs: outputs, taps, isPadded }
}

/** The first of the `taps` weights between an input channel and an output. */
export function tapsStart(layer: WeightedLayer, output: number, input: number): number {
  return (layer.kind === 'full' ? output * layer.inputs + input : output) * layer.taps
}
