/** Rewrites every layer for fewer channels, or for channels in another order. */
import { expectF32, f32, type Tensor } from '../../core/index.ts'
import type { GraphNode, Model } from '../types.ts'
import type { ChannelGroups } from './channel-groups.ts'
import { rebuildModel } from './rebuild-model.ts'
import type { WeightedLayer } from './weighted-layer.ts'

export interface SelectedChannels {
  readonly model: Model
  /** For each weight with other filters (first axis) than before: which of the old ones, in their new order. */
  readonly filters: ReadonlyMap<string, readonly number[]>
}

/**
 * `model` with `nodes` and the channels that `channelsOf` gives for each value; `groups` must be those of `nodes`
 * and `tensors`. Tensors are replaced, never written to.
 */
export function selectChannels(
  model: Model,
  nodes: readonly GraphNode[],
  held: ReadonlyMap<string, Tensor>,
  groups: ChannelGroups,
  channelsOf: (value: string) => readonly number[],
): SelectedChannels {
  const tensors = new Map(held)
  const filters = new Map<string, readonly number[]>()
  const layers = new Map<GraphNode, WeightedLayer>(groups.layers.map(layer => [layer.node, layer]))
  const result = nodes.map((node): GraphNode => {
    const layer = layers.get(node)
    if (layer === undefined) return asCopyingReshape(node, model)
    return selectInLayer(layer, channelsOf, tensors, filters)
  })
  for (const [name, value] of groups.perChannel) {
    const old = expectF32(tensors.get(name), name)
    const channels = channelsOf(value)
    const data = Float32Array.from(channels, channel => old.data[channel]!)
    const shape = old.shape.map(size => (size === 1 ? 1 : channels.length))
    tensors.set(name, f32(shape, data))
  }
  return { model: rebuildModel(model, result, tensors), filters }
}

function selectInLayer(
  layer: WeightedLayer,
  channelsOf: (value: string) => readonly number[],
  tensors: Map<string, Tensor>,
  filters: Map<string, readonly number[]>,
): GraphNode {
  const { node, weightName, biasName, taps } = layer
  const held = expectF32(tensors.get(weightName), weightName)
  const outputs = channelsOf(node.outputs[0]!)
  const inputs = layer.kind === 'full' ? channelsOf(node.inputs[0]!) : [0]
  const hasAllOutputs = isIdentity(outputs, layer.outputs)
  if (hasAllOutputs && isIdentity(inputs, layer.kind === 'full' ? layer.inputs : 1)) return node
  const perFilter = held.data.length / layer.outputs
  const data = new Float32Array(outputs.length * inputs.length * taps)
  let next = 0
  for (const output of outputs) {
    for (const input of inputs) {
      const start = output * perFilter + input * taps
      data.set(held.data.subarray(start, start + taps), next)
      next += taps
    }
  }
  tensors.set(weightName, f32([outputs.length, inputs.length, ...held.shape.slice(2)], data))
  if (biasName !== undefined) {
    const bias = expectF32(tensors.get(biasName), biasName).data
    const selected = Float32Array.from(outputs, output => bias[output]!)
    tensors.set(biasName, f32([outputs.length], selected))
  }
  if (!hasAllOutputs) filters.set(weightName, outputs)
  if (layer.kind === 'full' || node.op !== 'Conv') return node
  return { ...node, attributes: { ...node.attributes, groups: outputs.length } }
}

function isIdentity(channels: readonly number[], count: number): boolean {
  return channels.length === count && channels.every((channel, index) => channel === index)
}

/** A Reshape that only flattens must not spell out how many channels there were. */
function asCopyingReshape(node: GraphNode, { graph }: Model): GraphNode {
  if (node.op !== 'Reshape') return node
  const input = graph.values.get(node.inputs[0]!)!.shape
  const output = graph.values.get(node.outputs[0]!)!.shape
  if (input.length < 2 || output.length !== 2 || output[0] !== input[0]) return node
  return { ...node, attributes: { shape: [0, -1] } }
}
