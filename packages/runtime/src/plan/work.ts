import { SternaError } from '../errors.ts'
import type { PackedModel } from '../file/types.ts'
import { planLimits } from './limits.ts'
import { type Shape, sizeOf } from './shape.ts'
import { citeNode } from './shapes.ts'

/** Refuses a model whose run would take unreasonably long: `file/limit`, naming the node where it shows. */
export function checkWork(model: PackedModel, shapes: ReadonlyMap<string, Shape>): void {
  let operations = 0
  for (const node of model.nodes) {
    const inputs = node.inputs.map(name => shapes.get(name)!)
    const outputs = sizeOf(shapes.get(node.outputs[0]!)!)
    let perOutput = 1
    if (node.op === 'Conv') perOutput = sizeOf(inputs[1]!.slice(1))
    else if (node.op === 'Gemm') perOutput = inputs[0]![node.attributes.transA ? 0 : 1]!
    else if (node.op === 'MatMul') perOutput = inputs[0]!.at(-1)!
    else if (node.op === 'MaxPool' || node.op === 'AveragePool') {
      perOutput = node.attributes.kernel[0] * node.attributes.kernel[1]
    }
    operations += outputs * perOutput + inputs.reduce((sum, shape) => sum + sizeOf(shape), 0)
    if (operations > planLimits.operationsPerImage) {
      throw new SternaError(
        'file/limit',
        `${citeNode(node)}: up to here one image needs ${operations} operations, ` +
          `at most ${planLimits.operationsPerImage} are allowed`,
      )
    }
  }
}
