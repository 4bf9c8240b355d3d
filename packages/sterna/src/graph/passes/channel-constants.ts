/** Finds channels that hold one number everywhere and moves what they contribute into the biases behind them. */
import { expectF32, f32, type Tensor } from '../../core/index.ts'
import type { GraphNode, Model } from '../types.ts'
import { channelFlow } from './channel-flow.ts'
import { countReaders } from './rebuild-model.ts'
import { tapsStart, type WeightedLayer, weightedLayer } from './weighted-layer.ts'

export interface AbsorbedConstants {
  readonly nodes: readonly GraphNode[]
  /** With changed weights and biases in new arrays. */
  readonly tensors: Map<string, Tensor>
}

/**
 * A filter without weights gives its bias at every position, through activations and pooling. A layer that
 * reads such a channel k gets k × Σ weights added to its bias and those weights become 0, unless it pads: then
 * its border reads 0 instead of k, and only k = 0 may go.
 */
export function absorbConstants(model: Model, held: ReadonlyMap<string, Tensor>): AbsorbedConstants {
  const { graph } = model
  const tensors = new Map(held)
  const readers = countReaders(graph.nodes, graph.outputs)
  /** NaN for a channel that is not constant. */
  const constants = new Map<string, Float64Array>()
  const channelsOf = (name: string) => graph.values.get(name)!.shape[1] ?? 0
  const constantsOf = (name: string) =>
    constants.get(name) ?? new Float64Array(channelsOf(name)).fill(Number.NaN)

  const nodes = graph.nodes.map(node => {
    const layer = weightedLayer(node, tensors, readers)
    if (layer !== undefined) {
      const { node: next, outputs } = absorbInLayer(layer, constantsOf(node.inputs[0]!), tensors)
      constants.set(node.outputs[0]!, outputs)
      return next
    }
    const flow = channelFlow(node, graph, tensors)
    if (flow.kind === 'same') {
      const operands = flow.operands.map(operand =>
        operand.kind === 'map' ? constantsOf(operand.value) : operand.data,
      )
      constants.set(
        node.outputs[0]!,
        Float64Array.from({ length: channelsOf(node.outputs[0]!) }, (_, channel) =>
          flow.constant(operands.map(values => values[values.length === 1 ? 0 : channel]!)),
        ),
      )
    } else if (flow.kind === 'spread') {
      const input = constantsOf(node.inputs[0]!)
      constants.set(
        node.outputs[0]!,
        Float64Array.from(
          { length: input.length * flow.span },
          (_, channel) => input[Math.floor(channel / flow.span)]!,
        ),
      )
    }
    return node
  })
  return { nodes, tensors }
}

function absorbInLayer(
  layer: WeightedLayer,
  inputs: Float64Array,
  tensors: Map<string, Tensor>,
): { readonly node: GraphNode; readonly outputs: Float64Array } {
  const held = expectF32(tensors.get(layer.weightName), layer.weightName)
  const weight = held.data.slice()
  const bias = Float64Array.from({ length: layer.outputs }, (_, output) =>
    layer.biasName === undefined ? 0 : (tensors.get(layer.biasName)!.data[output] as number),
  )
  const before = bias.slice()
  let changed = false
  for (let input = 0; input < layer.inputs; input++) {
    const constant = inputs[input]!
    if (Number.isNaN(constant) || !Number.isFinite(constant) || (constant !== 0 && layer.isPadded)) continue
    const outputs = layer.kind === 'full' ? { from: 0, to: layer.outputs } : { from: input, to: input + 1 }
    for (let output = outputs.from; output < outputs.to; output++) {
      const start = tapsStart(layer, output, input)
      let sum = 0
      for (let tap = start; tap < start + layer.taps; tap++) sum += weight[tap]!
      if (weight.subarray(start, start + layer.taps).every(value => value === 0)) continue
      bias[output]! += constant * sum
      weight.fill(0, start, start + layer.taps)
      changed = true
    }
  }
  let { node }: { node: GraphNode } = layer
  if (changed) {
    tensors.set(layer.weightName, f32(held.shape, weight))
    if (bias.some((value, output) => value !== before[output])) {
      const name = layer.biasName ?? `${node.name}.absorbed-bias`
      const shape = layer.biasName === undefined ? [layer.outputs] : tensors.get(name)!.shape
      tensors.set(name, f32(shape, bias))
      node = { ...node, inputs: [node.inputs[0]!, layer.weightName, name] } as GraphNode
    }
  }
  const perFilter = weight.length / layer.outputs
  const outputs = bias.map((value, output) =>
    weight.subarray(output * perFilter, (output + 1) * perFilter).every(w => w === 0)
      ? Math.fround(value)
      : Number.NaN,
  )
  return { node, outputs }
}
