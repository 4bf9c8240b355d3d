/** Model -> OnnxModel in the standard operators that every ONNX engine since 2022 knows. */
import { SternaError, type Tensor } from '../../core/index.ts'
import type { OnnxModel, OnnxNode, OnnxValue } from '../../formats/onnx/index.ts'
import type { Graph, Model, Value } from '../types.ts'
import { constantNode, exportNode } from './export-rules.ts'

/** Axes of ReduceMean are still an attribute, HardSwish is already an operator. */
const opsetVersion = 17
const irVersion = 8

/**
 * Parameters become initializers, constants become Constant nodes. The batch size is left open ("batch")
 * unless a Reshape fixes it.
 * @throws SternaError 'graph/unknown-operator' for operators that exist in training graphs only
 */
export function exportOnnx({ graph, parameters }: Model): OnnxModel {
  const initializers = new Map<string, Tensor>()
  for (const { name } of graph.parameters) {
    const value = parameters.get(name)
    if (value === undefined) {
      throw new SternaError('graph/unknown-value', `graph "${graph.name}": parameter "${name}" has no tensor`)
    }
    initializers.set(name, value)
  }
  const nodes: OnnxNode[] = [...graph.constants].map(([name, value]) => constantNode(name, value))
  for (const node of graph.nodes) nodes.push(...exportNode(node))
  const isOpen = hasOpenBatch(graph)
  const describe = ({ name, dtype, shape }: Value): OnnxValue => ({
    name,
    dtype,
    shape: isOpen ? ['batch', ...shape.slice(1)] : shape,
  })
  return {
    irVersion,
    producer: 'sterna',
    opsets: [{ domain: '', version: opsetVersion }],
    graph: {
      name: graph.name,
      nodes,
      initializers,
      inputs: graph.inputs.map(describe),
      outputs: graph.outputs.map(name => describe(graph.values.get(name)!)),
    },
  }
}

/** Whether axis 0 of all inputs and outputs may take another size without any node objecting. */
function hasOpenBatch({ inputs, outputs, nodes, values }: Graph): boolean {
  const ends = [...inputs, ...outputs.map(name => values.get(name)!)]
  const batch = inputs[0]?.shape[0]
  if (batch === undefined || ends.some(({ shape }) => shape[0] !== batch)) return false
  return nodes.every(
    node => node.op !== 'Reshape' || node.attributes.shape[0] === 0 || node.attributes.shape[0] === -1,
  )
}
