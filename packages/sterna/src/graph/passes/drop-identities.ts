/** Removes the nodes that do nothing at inference: Identity and Dropout. Inputs and outputs keep their names. */
import type { GraphNode, Model } from '../types.ts'
import { heldTensors, rebuildModel } from './rebuild-model.ts'

export function dropIdentities(model: Model): Model {
  const { nodes, outputs } = model.graph
  const produced = new Set(nodes.flatMap(node => node.outputs))
  const isOutput = new Set(outputs)
  const renamed = new Map<string, string>()
  const resolve = (name: string): string => {
    const next = renamed.get(name)
    return next === undefined ? name : resolve(next)
  }
  const kept = nodes.filter(node => {
    if (node.op !== 'Identity' && node.op !== 'Dropout') return true
    const from = resolve(node.inputs[0]!)
    const to = node.outputs[0]!
    if (!isOutput.has(to)) renamed.set(to, from)
    else if (produced.has(from) && !isOutput.has(from)) renamed.set(from, to)
    else return true
    return false
  })
  const result = kept.map(
    node => ({ ...node, inputs: node.inputs.map(resolve), outputs: node.outputs.map(resolve) }) as GraphNode,
  )
  return rebuildModel(model, result, heldTensors(model))
}
