/** Drops channels that hold a constant or that nothing reads: sparse ternary networks have many. */
import { expectF32, f32, type Tensor } from '../../core/index.ts'
import type { GraphNode, Model } from '../types.ts'
import { absorbConstants } from './channel-constants.ts'
import { ChannelGroups } from './channel-groups.ts'
import { heldTensors, rebuildModel } from './rebuild-model.ts'
import type { WeightedLayer } from './weighted-layer.ts'

export interface WithoutDeadChannels {
  readonly model: Model
  /** For each weight that lost filters (first axis): which of the old ones stayed, ascending. */
  readonly keptFilters: ReadonlyMap<string, readonly number[]>
}

/**
 * The same function with fewer channels. Channels tied by a residual addition go only together; inputs and
 * outputs of the network keep theirs. A weight may also become 0 where its input was a constant that now is
 * part of the bias. Expects batch norm to be folded: what it does not know it leaves alone.
 */
export function removeDeadChannels(model: Model): WithoutDeadChannels {
  const { graph } = model
  const { nodes, tensors } = absorbConstants(model, heldTensors(model))
  const groups = new ChannelGroups(graph, nodes, tensors)
  const keptFilters = new Map<string, readonly number[]>()
  const layers = new Map<GraphNode, WeightedLayer>(groups.layers.map(layer => [layer.node, layer]))
  const result = nodes.map((node): GraphNode => {
    const layer = layers.get(node)
    if (layer === undefined) return asCopyingReshape(node, model)
    return sliceLayer(layer, groups, tensors, keptFilters)
  })
  for (const [name, value] of groups.perChannel) {
    const held = expectF32(tensors.get(name), name)
    const kept = groups.kept(value)
    const data = Float32Array.from(kept, channel => held.data[channel]!)
    tensors.set(
      name,
      f32(
        held.shape.map(size => (size === 1 ? 1 : kept.length)),
        data,
      ),
    )
  }
  return { model: rebuildModel(model, result, tensors), keptFilters }
}

function sliceLayer(
  layer: WeightedLayer,
  groups: ChannelGroups,
  tensors: Map<string, Tensor>,
  keptFilters: Map<string, readonly number[]>,
): GraphNode {
  const { node, weightName, biasName, taps } = layer
  const held = expectF32(tensors.get(weightName), weightName)
  const outputs = groups.kept(node.outputs[0]!)
  const inputs = layer.kind === 'full' ? groups.kept(node.inputs[0]!) : [0]
  const isWhole =
    outputs.length === layer.outputs && inputs.length === (layer.kind === 'full' ? layer.inputs : 1)
  if (isWhole) return node
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
    tensors.set(
      biasName,
      f32(
        [outputs.length],
        Float32Array.from(outputs, output => bias[output]!),
      ),
    )
  }
  if (outputs.length < layer.outputs) keptFilters.set(weightName, outputs)
  if (layer.kind === 'full' || node.op !== 'Conv') return node
  return { ...node, attributes: { ...node.attributes, groups: outputs.length } }
}

/** A Reshape that only flattens must not spell out how many channels there were. */
function asCopyingReshape(node: GraphNode, { graph }: Model): GraphNode {
  if (node.op !== 'Reshape') return node
  const input = graph.values.get(node.inputs[0]!)!.shape
  const output = graph.values.get(node.outputs[0]!)!.shape
  if (input.length < 2 || output.length !== 2 || output[0] !== input[0]) return node
  return { ...node, attributes: { shape: [0, -1] } }
}
