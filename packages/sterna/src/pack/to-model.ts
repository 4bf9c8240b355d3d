/** The way back: a packed network as a float model, so that any engine can run exactly what the file says. */
import type { PackedModel } from 'sterna-runtime'
import { f32, type Tensor } from '../core/index.ts'
import { GraphBuilder, type Model, type Value } from '../graph/index.ts'
import { denseWeight } from '../ternary/index.ts'

/** Every tensor becomes a parameter with the numbers the runtime computes with; `batchSize` is axis 0 of the inputs. */
export function toModel(packed: PackedModel, batchSize = 1): Model {
  const b = new GraphBuilder(packed.name === '' ? 'network' : packed.name)
  const values = new Map<string, Value>()
  const parameters = new Map<string, Tensor>()
  for (const { name, shape } of packed.inputs) values.set(name, b.input(name, [batchSize, ...shape.slice(1)]))
  for (const [name, tensor] of packed.tensors) {
    const data = tensor.kind === 'ternary' ? denseWeight(tensor).data : tensor.data
    parameters.set(name, f32(tensor.shape, data))
    values.set(name, b.parameter(name, tensor.shape))
  }
  for (const node of packed.nodes) {
    const inputs = node.inputs.map(input => values.get(input) ?? b.value(input))
    const outputs = b.append(node.op, inputs, node.attributes, node.name, node.outputs)
    for (const output of outputs) values.set(output.name, output)
  }
  return { graph: b.build(packed.outputs.map(output => b.value(output))), parameters }
}
