/** How an operator that has no weights carries channels (axis 1) from its input to its output. */
import type { Shape, Tensor } from '../../core/index.ts'
import type { Graph, GraphNode } from '../types.ts'

export type ChannelFlow =
  /** Channel c of the output depends on channel c of the inputs alone. */
  | {
      readonly kind: 'same'
      readonly constant: (inputs: readonly number[]) => number
      readonly operands: readonly Operand[]
    }
  /** Flattening: channel c becomes the `span` channels from c × span on. */
  | { readonly kind: 'spread'; readonly span: number }
  | { readonly kind: 'unknown' }

/** An input that is a feature map, or a tensor with one number per channel or one for all. */
export type Operand =
  | { readonly kind: 'map'; readonly value: string }
  | { readonly kind: 'per-channel'; readonly value: string; readonly data: Float32Array }
  | { readonly kind: 'scalar'; readonly data: Float32Array }

/** The constant of a channel that is not the same everywhere. */
const varies = Number.NaN

export function channelFlow(
  node: GraphNode,
  graph: Graph,
  tensors: ReadonlyMap<string, Tensor>,
): ChannelFlow {
  if (node.inputs.every(name => tensors.has(name))) return unknown
  const shapeOf = (name: string): Shape => graph.values.get(name)!.shape
  const input = shapeOf(node.inputs[0]!)
  const output = shapeOf(node.outputs[0]!)
  const same = (constant: (value: number) => number): ChannelFlow =>
    input.length >= 2 && output.length >= 2 && input[1] === output[1]
      ? {
          kind: 'same',
          constant: ([value]) => constant(value!),
          operands: [{ kind: 'map', value: node.inputs[0]! }],
        }
      : unknown
  switch (node.op) {
    case 'Relu':
      return same(x => Math.max(0, x))
    case 'Clip': {
      const { min, max } = node.attributes
      return same(x => Math.min(Math.max(x, min), max))
    }
    case 'Sigmoid':
      return same(x => 1 / (1 + Math.exp(-x)))
    case 'Tanh':
      return same(Math.tanh)
    case 'HardSigmoid': {
      const { alpha, beta } = node.attributes
      return same(x => Math.max(0, Math.min(1, alpha * x + beta)))
    }
    case 'HardSwish':
      return same(x => x * Math.max(0, Math.min(1, x / 6 + 0.5)))
    case 'Identity':
    case 'Dropout':
    case 'MaxPool':
    case 'GlobalAveragePool':
      return same(x => x)
    case 'AveragePool': {
      const dilutes = node.attributes.countIncludePad && node.attributes.pads.some(pad => pad > 0)
      return same(x => (dilutes && x !== 0 ? varies : x))
    }
    case 'ReduceMean':
      return node.attributes.axes.every(axis => (axis < 0 ? axis + input.length : axis) >= 2)
        ? same(x => x)
        : unknown
    case 'Slice':
      return node.attributes.axes.every(axis => (axis < 0 ? axis + input.length : axis) >= 2)
        ? same(x => x)
        : unknown
    case 'Pad': {
      const { pads, value } = node.attributes
      const rank = input.length
      if (pads[0] !== 0 || pads[1] !== 0 || pads[rank] !== 0 || pads[rank + 1] !== 0) return unknown
      return same(x => (x === value ? x : varies))
    }
    case 'Flatten':
    case 'Reshape':
      return input.length >= 2 && output.length === 2 && output[0] === input[0]
        ? { kind: 'spread', span: output[1]! / input[1]! }
        : unknown
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
      return binaryFlow(node, output, shapeOf, tensors)
    default:
      return unknown
  }
}

const unknown: ChannelFlow = { kind: 'unknown' }

const arithmetic = {
  Add: (a: number, b: number) => a + b,
  Sub: (a: number, b: number) => a - b,
  Mul: (a: number, b: number) => (a === 0 || b === 0 ? 0 : a * b),
  Div: (a: number, b: number) => a / b,
} as const

function binaryFlow(
  node: GraphNode & { readonly op: keyof typeof arithmetic },
  output: Shape,
  shapeOf: (name: string) => Shape,
  tensors: ReadonlyMap<string, Tensor>,
): ChannelFlow {
  const rank = output.length
  if (rank < 2) return unknown
  const operands: Operand[] = []
  for (const name of node.inputs) {
    const shape = shapeOf(name)
    const held = tensors.get(name)
    if (held === undefined) {
      if (shape.length !== rank || shape[1] !== output[1]) return unknown
      operands.push({ kind: 'map', value: name })
    } else {
      if (held.dtype !== 'f32') return unknown
      const data = held.data as Float32Array
      const aligned = [...Array.from({ length: Math.max(0, rank - shape.length) }, () => 1), ...shape]
      if (data.length === 1) operands.push({ kind: 'scalar', data })
      else if (aligned[1] === output[1] && data.length === output[1])
        operands.push({ kind: 'per-channel', value: name, data })
      else return unknown
    }
  }
  return { kind: 'same', constant: ([a, b]) => arithmetic[node.op](a!, b!), operands }
}
