/** How passes make their result: from a list of nodes and the tensors they may read. */
import { SternaError, type Tensor } from '../../core/index.ts'
import { GraphBuilder } from '../builder.ts'
import { appendNode } from '../replay.ts'
import type { GraphNode, Model, Value } from '../types.ts'

/** Parameters and constants of a model by name. */
export function heldTensors(model: Model): Map<string, Tensor> {
  return new Map([...model.graph.constants, ...model.parameters])
}

/** How many nodes read each value; a graph output counts as one more reader. */
export function countReaders(nodes: readonly GraphNode[], outputs: readonly string[]): Map<string, number> {
  const readers = new Map<string, number>()
  for (const name of [...nodes.flatMap(node => node.inputs), ...outputs]) {
    readers.set(name, (readers.get(name) ?? 0) + 1)
  }
  return readers
}

/**
 * The model with other nodes and tensors. Nodes that no output depends on and tensors that no node reads are
 * left out; shapes are inferred anew. A tensor that was a constant stays one, every other is a parameter.
 */
export function rebuildModel(
  model: Model,
  nodes: readonly GraphNode[],
  tensors: ReadonlyMap<string, Tensor>,
): Model {
  const { graph } = model
  const live = liveNodes(nodes, graph.outputs)
  const b = new GraphBuilder(graph.name)
  const values = new Map<string, Value>()
  const parameters = new Map<string, Tensor>()
  for (const input of graph.inputs) values.set(input.name, b.input(input.name, input.shape, input.dtype))
  for (const name of new Set(live.flatMap(node => node.inputs))) {
    const tensor = tensors.get(name)
    if (tensor === undefined) continue
    if (graph.constants.has(name)) {
      values.set(name, b.constant(tensor, name))
    } else {
      values.set(name, b.parameter(name, tensor.shape, tensor.dtype))
      parameters.set(name, tensor)
    }
  }
  for (const node of live) {
    const outputs = appendNode(
      b,
      node,
      node.inputs.map(input => known(values, input, node.name)),
    )
    for (const output of outputs) values.set(output.name, output)
  }
  return { graph: b.build(graph.outputs.map(output => known(values, output, 'graph outputs'))), parameters }
}

function liveNodes(nodes: readonly GraphNode[], outputs: readonly string[]): readonly GraphNode[] {
  const wanted = new Set(outputs)
  const live: GraphNode[] = []
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some(output => wanted.has(output))) continue
    for (const input of node.inputs) wanted.add(input)
    live.push(node)
  }
  return live.reverse()
}

function known(values: ReadonlyMap<string, Value>, name: string, where: string): Value {
  const value = values.get(name)
  if (value === undefined)
    throw new SternaError('graph/unknown-value', `${where}: no value is named "${name}"`)
  return value
}
