/** The standard lowering: NCHW, operators of the ONNX standard only; it runs on every device. */
import type { Graph, GraphNode, OperatorName } from '../../graph/index.ts'
import { finishModel, graphValue } from '../lowered-model.ts'
import type { LoweredProgram, Lowering } from '../lowering.ts'
import { OnnxEmitter } from '../onnx-emitter.ts'
import type { EngineDevice, Program } from '../types.ts'
import type { Rule } from './emission.ts'
import { standardRules } from './table.ts'

export const standardLowering: Lowering = {
  name: 'standard',
  lower(program: Program, device: EngineDevice): LoweredProgram {
    const { graph } = program
    const e = new OnnxEmitter()
    for (const [name, value] of graph.constants) e.define(name, value)
    for (const node of graph.nodes) emitStandard(e, graph, node, device)
    return finishModel(e, program, {
      outputName: name => name,
      stateName: (_parameter, output) => output,
    })
  },
}

/** Emits a node in row-major order under its outputs' names; `names`: what its inputs are called in the ONNX graph. */
export function emitStandard(
  e: OnnxEmitter,
  graph: Graph,
  node: GraphNode,
  device: EngineDevice,
  names = node.inputs,
): void {
  const rule = standardRules[node.op] as Rule<OperatorName>
  rule({
    e,
    inputs: node.inputs.map(name => graphValue(graph, name, node.name)),
    names,
    outputs: node.outputs.map(name => graphValue(graph, name, node.name)),
    out: node.outputs[0]!,
    attributes: node.attributes,
    device,
  })
}
