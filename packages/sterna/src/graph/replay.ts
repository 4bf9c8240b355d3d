/** Rebuilds a graph node by node into a builder: the base of every graph-to-graph pass. */
import type { Tensor } from '../core/index.ts'
import { GraphBuilder } from './builder.ts'
import type { Graph, GraphNode, OperatorName, Operators, Value } from './types.ts'

export interface ReplayOptions {
  /** What stands for the old graph's inputs, parameters and constants, by old name. */
  readonly values: Map<string, Value>
  /** Replaces a node by other outputs, or keeps it by returning undefined. */
  readonly replace?: (node: GraphNode, inputs: readonly Value[]) => readonly Value[] | undefined
}

/**
 * Appends the nodes of `graph` to `b`; afterwards `options.values` maps every old edge to its new one.
 * Constants not yet mapped are copied. Node names are kept.
 */
export function replay(b: GraphBuilder, graph: Graph, options: ReplayOptions): void {
  const { values } = options
  for (const [name, constant] of graph.constants) {
    if (!values.has(name)) values.set(name, copyConstant(b, name, constant))
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map(input => values.get(input) ?? b.value(input))
    const outputs = options.replace?.(node, inputs) ?? appendNode(b, node, inputs)
    node.outputs.forEach((output, index) => {
      const value = outputs[index]
      if (value !== undefined) values.set(output, value)
    })
  }
}

function copyConstant(b: GraphBuilder, name: string, constant: Tensor): Value {
  return b.constant(constant, b.has(name) ? undefined : name)
}

/** Appends one node under its own name and with its own output names; new ones where it names none. */
export function appendNode(b: GraphBuilder, node: GraphNode, inputs: readonly Value[]): readonly Value[] {
  return b.append(
    node.op as OperatorName,
    inputs,
    node.attributes as Operators[OperatorName],
    node.name,
    node.outputs,
  )
}

/** The same graph for another batch size: axis 0 of every input that has one becomes `batchSize`. */
export function withBatchSize(graph: Graph, batchSize: number): Graph {
  const b = new GraphBuilder(graph.name)
  const values = new Map<string, Value>()
  for (const input of graph.inputs) {
    const shape = input.shape.map((size, axis) => (axis === 0 ? batchSize : size))
    values.set(input.name, b.input(input.name, shape, input.dtype))
  }
  for (const parameter of graph.parameters) {
    values.set(parameter.name, b.parameter(parameter.name, parameter.shape, parameter.dtype))
  }
  replay(b, graph, { values })
  return b.build(graph.outputs.map(output => values.get(output)!))
}

/** The same graph without nodes and constants that lead to no output; inputs and parameters stay. */
export function withoutUnused(graph: Graph): Graph {
  const used = new Set(graph.outputs)
  const nodes: GraphNode[] = []
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some(output => used.has(output))) continue
    for (const input of node.inputs) used.add(input)
    nodes.push(node)
  }
  const constants = new Map([...graph.constants].filter(([name]) => used.has(name)))
  return { ...graph, nodes: nodes.reverse(), constants }
}
