/** The shape of every value of a packed model, checked node by node. */
import { SternaError } from '../errors.ts'
import type { PackedModel, PackedNode, PackedTensor } from '../file/types.ts'
import type { InferenceOperatorName } from '../operators.ts'
import { planLimits } from './limits.ts'
import { type Shape, sizeOf } from './shape.ts'
import { type ShapeRule, shapeRules } from './shape-rules.ts'

/** How errors cite a node: `conv2 (Conv)`. */
export const citeNode = (node: PackedNode): string => `${node.name} (${node.op})`

/**
 * Shapes of all inputs, tensors and node outputs.
 * @param inputShapes other shapes than the model's own for its inputs, for instance another batch size
 * @throws SternaError `graph/shape`, `graph/attribute`, `graph/unknown-operator` or `graph/unknown-value`,
 *   naming the node; `file/limit` where a value is larger than `planLimits` allows
 */
export function inferShapes(
  model: PackedModel,
  inputShapes?: ReadonlyMap<string, Shape>,
): ReadonlyMap<string, Shape> {
  if (model.nodes.length > planLimits.nodes) {
    throw new SternaError(
      'file/limit',
      `${model.name}: expected at most ${planLimits.nodes} nodes, found ${model.nodes.length}`,
    )
  }
  const shapes = new Map<string, Shape>()
  const define = (name: string, shape: Shape, where: string): void => {
    checkSize(shape, where)
    if (shapes.has(name)) throw new SternaError('graph/unknown-value', `${where}: "${name}" is defined twice`)
    shapes.set(name, shape)
  }

  for (const [name, tensor] of model.tensors) {
    define(name, tensor.shape, `tensor "${name}"`)
    checkTensor(name, tensor)
  }
  for (const { name, shape } of model.inputs) {
    define(name, inputShapes?.get(name) ?? shape, `input "${name}"`)
  }
  for (const node of model.nodes) {
    const where = citeNode(node)
    const inputs = node.inputs.map(name => {
      const shape = shapes.get(name)
      if (shape === undefined) {
        throw new SternaError(
          'graph/unknown-value',
          `${where}: nothing before it defines its input "${name}"`,
        )
      }
      return shape
    })
    if (node.outputs.length !== 1) {
      throw new SternaError('graph/shape', `${where}: expected one output, found ${node.outputs.length}`)
    }
    define(node.outputs[0]!, outputShape(node, inputs, where), where)
  }
  for (const name of model.outputs) {
    if (!shapes.has(name)) {
      throw new SternaError('graph/unknown-value', `${model.name}: nothing defines its output "${name}"`)
    }
  }
  return shapes
}

function outputShape(node: PackedNode, inputs: readonly Shape[], where: string): Shape {
  if (!Object.hasOwn(shapeRules, node.op)) {
    throw new SternaError('graph/unknown-operator', `${where}: this runtime has no operator "${node.op}"`)
  }
  const rule = shapeRules[node.op] as ShapeRule<InferenceOperatorName>
  if (inputs.length < rule.minInputs || inputs.length > rule.maxInputs) {
    const expected =
      rule.minInputs === rule.maxInputs ? rule.minInputs : `${rule.minInputs}–${rule.maxInputs}`
    throw new SternaError('graph/shape', `${where}: expected ${expected} inputs, found ${inputs.length}`)
  }
  return rule.infer(inputs, node.attributes, where)
}

function checkSize(shape: Shape, where: string): void {
  if (shape.length > planLimits.rank) {
    throw new SternaError(
      'file/limit',
      `${where}: expected at most ${planLimits.rank} axes, found [${shape}]`,
    )
  }
  for (const dimension of shape) {
    if (!Number.isInteger(dimension) || dimension < 1 || dimension > planLimits.dimension) {
      throw new SternaError(
        'graph/shape',
        `${where}: every size must be a whole number ≥ 1, found [${shape}]`,
      )
    }
  }
  if (sizeOf(shape) > planLimits.elements) {
    throw new SternaError(
      'file/limit',
      `${where}: expected at most ${planLimits.elements} elements, found [${shape}]`,
    )
  }
}

function checkTensor(name: string, tensor: PackedTensor): void {
  const size = sizeOf(tensor.shape)
  const found = tensor.kind === 'dense' ? tensor.data.length : tensor.lists ? size : tensor.assignment.length
  if (found !== size) {
    throw new SternaError(
      'tensor/invalid',
      `tensor "${name}": [${tensor.shape}] holds ${size}, found ${found}`,
    )
  }
  if (tensor.kind === 'ternary') {
    const filters = tensor.shape[0] ?? 1
    for (const magnitudes of [tensor.positive, tensor.negative]) {
      if (magnitudes.length !== 1 && magnitudes.length !== filters) {
        throw new SternaError(
          'tensor/invalid',
          `tensor "${name}": expected 1 or ${filters} magnitudes, found ${magnitudes.length}`,
        )
      }
    }
  }
}
