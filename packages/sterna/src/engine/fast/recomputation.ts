/**
 * Large maps that one pass over another one gives are computed again where the gradient needs them, instead of being
 * held from the forward pass on. It takes the same kernel on the same numbers, so no bit changes.
 */
import type { OnnxNode } from '../../formats/onnx/index.ts'
import type { LoweredProgram } from '../lowering.ts'

/**
 * `cheap`: bytes of the maps that a node computes in one pass over a map that is held anyway, by their ONNX names. Those
 * below `leastBytes` are not worth a second pass.
 */
export function recomputeMaps(
  lowered: LoweredProgram,
  cheap: ReadonlyMap<string, number>,
  leastBytes: number,
): LoweredProgram {
  const { model, outputs } = lowered
  const large = [...cheap].filter(([, sizeBytes]) => sizeBytes >= leastBytes).map(([name]) => name)
  if (large.length === 0) return lowered
  const isForward = nodesOf(model.graph.nodes, outputs.values())
  const names = new Map(large.map(name => [name, `${name}~again`]))
  const waiting = new Set(large)
  const producers = new Map(
    model.graph.nodes.flatMap(node => node.outputs.map(name => [name, node] as const)),
  )
  const nodes: OnnxNode[] = []
  for (const node of model.graph.nodes) {
    if (isForward.has(node)) {
      nodes.push(node)
      continue
    }
    for (const name of node.inputs) if (waiting.delete(name)) nodes.push(copyOf(producers.get(name)!, names))
    nodes.push({ ...node, inputs: node.inputs.map(name => names.get(name) ?? name) })
  }
  return { ...lowered, model: { ...model, graph: { ...model.graph, nodes } } }
}

/** The nodes that lead to these values. */
function nodesOf(nodes: readonly OnnxNode[], values: Iterable<string>): ReadonlySet<OnnxNode> {
  const needed = new Set(values)
  const found = nodes.toReversed().filter(({ inputs, outputs }) => {
    const isNeeded = outputs.some(output => needed.has(output))
    if (isNeeded) for (const input of inputs) needed.add(input)
    return isNeeded
  })
  return new Set(found)
}

/** ONNX Runtime merges nodes that are equal: this one leaves unsaid that its kernel, 1 × 1, is not dilated. */
function copyOf(node: OnnxNode, names: ReadonlyMap<string, string>): OnnxNode {
  const { dilations: _, ...attributes } = node.attributes
  const outputs = node.outputs.map(name => names.get(name) ?? name)
  return { ...node, name: outputs[0]!, outputs, attributes }
}
