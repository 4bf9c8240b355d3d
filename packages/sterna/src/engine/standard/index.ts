/** The standard lowering: NCHW, operators of the ONNX standard only; it runs on every device. */
import { SternaError } from '../../core/index.ts'
import type { OnnxValue } from '../../formats/onnx/index.ts'
import type { Graph, GraphNode, OperatorName, Value } from '../../graph/index.ts'
import type { LoweredProgram, Lowering } from '../lowering.ts'
import { OnnxEmitter } from '../onnx-emitter.ts'
import type { EngineDevice, Program } from '../types.ts'
import type { Rule } from './emission.ts'
import { standardRules } from './table.ts'

/** The newest operator set that all of ONNX Runtime 1.30's providers know. */
const opsetVersion = 21
const irVersion = 10

export const standardLowering: Lowering = {
  name: 'standard',
  lower(program: Program, device: EngineDevice): LoweredProgram {
    const { graph } = program
    const e = new OnnxEmitter()
    for (const [name, value] of graph.constants) e.define(name, value)
    for (const node of graph.nodes) emitNode(e, graph, node, device)

    const claimed = new Map<string, Value>()
    const produced = new Set(graph.nodes.flatMap(node => node.outputs))
    // Every ONNX output needs a name of its own that a node defines.
    const claim = (name: string): string => {
      const value = expectValue(graph, name, 'graph outputs')
      const onnxName = produced.has(name) && !claimed.has(name) ? name : e.emit('Identity', [name])
      claimed.set(onnxName, value)
      return onnxName
    }
    const state = new Map([...program.state].map(([parameter, output]) => [parameter, claim(output)]))
    const updates = new Set(program.state.values())
    const outputs = new Map<string, string>()
    for (const output of graph.outputs) {
      if (!updates.has(output) && !outputs.has(output)) outputs.set(output, claim(output))
    }

    const { nodes, initializers } = e.finish(claimed.keys())
    const model = {
      irVersion,
      producer: 'sterna',
      opsets: [{ domain: '', version: opsetVersion }],
      graph: {
        name: graph.name,
        nodes,
        initializers,
        inputs: [...graph.inputs, ...graph.parameters].map(onnxValue),
        outputs: [...claimed].map(([name, value]) => onnxValue({ ...value, name })),
      },
    }
    return { model, outputs, state }
  },
}

function emitNode(e: OnnxEmitter, graph: Graph, node: GraphNode, device: EngineDevice): void {
  const rule = standardRules[node.op] as Rule<OperatorName>
  rule({
    e,
    inputs: node.inputs.map(name => expectValue(graph, name, node.name)),
    names: node.inputs,
    outputs: node.outputs.map(name => expectValue(graph, name, node.name)),
    out: node.outputs[0]!,
    attributes: node.attributes,
    device,
  })
}

function expectValue(graph: Graph, name: string, where: string): Value {
  const value = graph.values.get(name)
  if (value === undefined) {
    throw new SternaError(
      'graph/unknown-value',
      `graph "${graph.name}", ${where}: no value is named "${name}"`,
    )
  }
  return value
}

function onnxValue({ name, dtype, shape }: Value): OnnxValue {
  return { name, dtype, shape }
}
