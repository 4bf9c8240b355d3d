/** Which values must keep the same channels, and which of those channels something reads. */
import type { Tensor } from '../../core/index.ts'
import type { Graph, GraphNode } from '../types.ts'
import { channelFlow } from './channel-flow.ts'
import { countReaders } from './rebuild-model.ts'
import { tapsStart, type WeightedLayer, weightedLayer } from './weighted-layer.ts'

/** Values tied by operators that work channel by channel; a flattened value holds each channel `span` times. */
interface Group {
  parent: Group | undefined
  readonly channels: number
  /** Something needs all channels where they are. */
  isPinned: boolean
}

interface Membership {
  readonly group: Group
  readonly span: number
}

/** Which weights other than zero count for a channel: those that make it, or those that read it as well. */
export type ChannelMeasure = 'filters' | 'filters and readers'

export class ChannelGroups {
  readonly layers: readonly WeightedLayer[]
  /** Tensors with one number per channel, by name, with the value whose channels they follow. */
  readonly perChannel: ReadonlyMap<string, string>
  readonly #members = new Map<string, Membership>()
  readonly #kept = new Map<Group, Uint8Array>()

  constructor(graph: Graph, nodes: readonly GraphNode[], tensors: ReadonlyMap<string, Tensor>) {
    const readers = countReaders(nodes, graph.outputs)
    const layers: WeightedLayer[] = []
    const perChannel = new Map<string, string>()
    for (const node of nodes) {
      const layer = weightedLayer(node, tensors, readers)
      const output = node.outputs[0]!
      if (layer !== undefined) {
        layers.push(layer)
        if (layer.kind === 'depthwise') this.#tie(graph, node.inputs[0]!, output)
        continue
      }
      const flow = channelFlow(node, graph, tensors)
      if (flow.kind === 'unknown') {
        for (const value of [...node.inputs, ...node.outputs]) this.#pin(graph, value, tensors)
      } else if (flow.kind === 'spread') {
        const { group, span } = this.#member(graph, node.inputs[0]!)
        this.#members.set(output, { group, span: span * flow.span })
      } else {
        for (const operand of flow.operands) {
          if (operand.kind === 'map') this.#tie(graph, operand.value, output)
          else if (operand.kind === 'per-channel') {
            if (readers.get(operand.value) !== 1) this.#pin(graph, output, tensors)
            perChannel.set(operand.value, output)
          }
        }
      }
    }
    for (const value of [...graph.inputs.map(input => input.name), ...graph.outputs])
      this.#pin(graph, value, tensors)
    this.layers = layers
    this.perChannel = perChannel
    this.#findRead(graph, tensors)
  }

  /** The channels of `value` that stay, ascending. */
  kept(value: string): readonly number[] {
    const { group, span } = this.#members.get(value)!
    const read = this.#kept.get(rootOf(group))!
    const kept: number[] = []
    read.forEach((isRead, channel) => {
      if (isRead) kept.push(channel)
    })
    return spread(kept, span)
  }

  /** All channels of a value, those with the most weights first; in their old order where that must stay. */
  sorted(tensors: ReadonlyMap<string, Tensor>, by: ChannelMeasure): (value: string) => readonly number[] {
    const counts = this.#countWeights(tensors, by)
    const orders = new Map<Group, readonly number[]>()
    for (const { group } of this.#members.values()) {
      const root = rootOf(group)
      const count = counts.get(root)
      const order = Array.from({ length: root.channels }, (_, channel) => channel)
      if (!root.isPinned && count !== undefined) order.sort((a, b) => count[b]! - count[a]! || a - b)
      orders.set(root, order)
    }
    return value => {
      const { group, span } = this.#members.get(value)!
      return spread(orders.get(rootOf(group))!, span)
    }
  }

  #countWeights(tensors: ReadonlyMap<string, Tensor>, by: ChannelMeasure): Map<Group, Uint32Array> {
    const counts = new Map<Group, Uint32Array>()
    const countsOf = (value: string) => {
      const { group, span } = this.#members.get(value)!
      const root = rootOf(group)
      const count = counts.get(root) ?? new Uint32Array(root.channels)
      counts.set(root, count)
      return { count, span }
    }
    for (const layer of this.layers) {
      const weight = tensors.get(layer.weightName)!.data as Float32Array
      const perFilter = weight.length / layer.outputs
      const made = countsOf(layer.node.outputs[0]!)
      const read = countsOf(layer.node.inputs[0]!)
      weight.forEach((value, index) => {
        if (value === 0) return
        made.count[Math.floor(index / perFilter / made.span)]! += 1
        if (by === 'filters' || layer.kind !== 'full') return
        read.count[Math.floor((index % perFilter) / layer.taps / read.span)]! += 1
      })
    }
    return counts
  }

  #member(graph: Graph, value: string): Membership {
    let member = this.#members.get(value)
    if (member === undefined) {
      const channels = graph.values.get(value)!.shape[1] ?? 1
      member = { group: { parent: undefined, channels, isPinned: false }, span: 1 }
      this.#members.set(value, member)
    }
    return member
  }

  #pin(graph: Graph, value: string, tensors: ReadonlyMap<string, Tensor>): void {
    if (!tensors.has(value)) rootOf(this.#member(graph, value).group).isPinned = true
  }

  #tie(graph: Graph, a: string, b: string): void {
    const one = this.#member(graph, a)
    const other = this.#members.get(b)
    if (other === undefined) {
      this.#members.set(b, one)
      return
    }
    const [rootOne, rootOther] = [rootOf(one.group), rootOf(other.group)]
    if (rootOne === rootOther) return
    if (one.span !== other.span || rootOne.channels !== rootOther.channels) {
      rootOne.isPinned = true
      rootOther.isPinned = true
      return
    }
    rootOne.parent = rootOther
    rootOther.isPinned ||= rootOne.isPinned
  }

  /** From the outputs back: a channel is read when a weight that is not 0 leads to a filter that is read. */
  #findRead(graph: Graph, tensors: ReadonlyMap<string, Tensor>): void {
    for (const value of graph.values.keys()) {
      if (this.#members.has(value)) continue
      if (!tensors.has(value)) this.#member(graph, value)
    }
    for (const { group } of this.#members.values()) {
      const root = rootOf(group)
      if (!this.#kept.has(root))
        this.#kept.set(root, new Uint8Array(root.channels).fill(root.isPinned ? 1 : 0))
    }
    const backwards = this.layers.toReversed()
    let changed = true
    while (changed) {
      changed = false
      for (const layer of backwards)
        if (layer.kind === 'full' && this.#markRead(layer, tensors)) changed = true
    }
    // A network with no channel at all is no network.
    for (const read of this.#kept.values()) if (!read.includes(1)) read[0] = 1
  }

  #markRead(layer: WeightedLayer, tensors: ReadonlyMap<string, Tensor>): boolean {
    const weight = tensors.get(layer.weightName)!.data as Float32Array
    const source = this.#members.get(layer.node.inputs[0]!)!
    const target = this.#members.get(layer.node.outputs[0]!)!
    const read = this.#kept.get(rootOf(source.group))!
    const wanted = this.#kept.get(rootOf(target.group))!
    let changed = false
    for (let input = 0; input < layer.inputs; input++) {
      const channel = Math.floor(input / source.span)
      if (read[channel]) continue
      for (let output = 0; output < layer.outputs && !read[channel]; output++) {
        if (!wanted[output]) continue
        const start = tapsStart(layer, output, input)
        for (let tap = start; tap < start + layer.taps; tap++) {
          if (weight[tap] !== 0) {
            read[channel] = 1
            changed = true
            break
          }
        }
      }
    }
    return changed
  }
}

function spread(channels: readonly number[], span: number): readonly number[] {
  if (span === 1) return channels
  return channels.flatMap(channel => Array.from({ length: span }, (_, index) => channel * span + index))
}

function rootOf(group: Group): Group {
  let root = group
  while (root.parent !== undefined) root = root.parent
  return root
}
