import { SternaError } from '../../errors.ts'
import type { PackedModel } from '../../file/types.ts'
import { type Shape, sizeOf } from '../../plan/shape.ts'
import { inferShapes } from '../../plan/shapes.ts'
import { widenTensor } from '../widen-tensor.ts'
import type { View } from './kernel.ts'
import { runNode } from './run-node.ts'

/**
 * Runs a packed model with the reference kernels: slow, plain, any batch size. The oracle for tests.
 * @param inputs one view for each input of the model; the first size is the batch and may differ from 1
 * @returns every output of the model by name
 * @throws SternaError as `inferShapes` does, and `usage/input` for a missing input or one whose data and
 *   shape disagree
 */
export function runReference(
  model: PackedModel,
  inputs: Readonly<Record<string, View>>,
): Record<string, { shape: Shape; data: Float32Array }> {
  const inputShapes = new Map<string, Shape>()
  const views = new Map<string, View>()
  for (const { name } of model.inputs) {
    const view = Object.hasOwn(inputs, name) ? inputs[name] : undefined
    if (view === undefined) throw new SternaError('usage/input', `input "${name}" is missing`)
    if (view.data.length !== sizeOf(view.shape)) {
      throw new SternaError(
        'usage/input',
        `input "${name}": shape [${view.shape}] holds ${sizeOf(view.shape)} numbers, data has ${view.data.length}`,
      )
    }
    inputShapes.set(name, view.shape)
    views.set(name, view)
  }
  const shapes = inferShapes(model, inputShapes)
  for (const [name, tensor] of model.tensors)
    views.set(name, { shape: tensor.shape, data: widenTensor(tensor) })
  for (const node of model.nodes) {
    const name = node.outputs[0]!
    const shape = shapes.get(name)!
    const output = { shape, data: new Float32Array(sizeOf(shape)) }
    runNode(
      node,
      node.inputs.map(input => views.get(input)!),
      output,
    )
    views.set(name, output)
  }
  return Object.fromEntries(model.outputs.map(name => [name, { ...views.get(name)! }]))
}
