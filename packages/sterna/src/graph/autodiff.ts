/** Reverse-mode differentiation: appends the gradient's operators to the graph that computes the loss. */
import { SternaError, sizeOf } from '../core/index.ts'
import type { GraphBuilder } from './builder.ts'
import { operatorEntry } from './operators/index.ts'
import type { OperatorName, Operators, Value } from './types.ts'

/**
 * dL/dv for each of `targets`, in their order; a target the loss does not depend on gets zeros.
 * `loss` must be a scalar. Only work that leads to a target is added. Operators without a derivative
 * (IsPositive, sorting, minimum over an axis) pass nothing on: what they produce counts as constant, and so does
 * what the nodes before `firstNode` (an index) produce, other than the targets.
 */
export function gradients(
  b: GraphBuilder,
  loss: Value,
  targets: readonly Value[],
  firstNode = 0,
): readonly Value[] {
  if (sizeOf(loss.shape) !== 1) {
    throw new SternaError(
      'graph/shape',
      `gradients: the loss must be a scalar, "${loss.name}" is [${loss.shape}]`,
    )
  }
  const nodes = b.nodes.slice(firstNode)
  const dependent = new Set(targets.map(target => target.name))
  for (const node of nodes) {
    if (operatorEntry(node.op).derive !== undefined && node.inputs.some(input => dependent.has(input))) {
      for (const output of node.outputs) dependent.add(output)
    }
  }

  const one = b.constant(1)
  const arrived = new Map<string, Value>([
    [loss.name, loss.shape.length === 0 ? one : b.expand(one, loss.shape)],
  ])
  for (const node of nodes.reverse()) {
    const gradient = arrived.get(node.outputs[0]!)
    if (gradient === undefined || !dependent.has(node.outputs[0]!)) continue
    const wanted = node.inputs.map(input => dependent.has(input))
    const derive = operatorEntry(node.op as OperatorName).derive
    if (derive === undefined || !wanted.includes(true)) continue
    const contributions = b.scope(`grad/${node.name}`, () =>
      derive({
        b,
        inputs: node.inputs.map(input => b.value(input)),
        outputs: node.outputs.map(output => b.value(output)),
        attributes: node.attributes as Operators[OperatorName],
        gradient,
        wanted: input => wanted[input] === true,
      }),
    )
    node.inputs.forEach((input, index) => {
      const contribution = contributions[index]
      if (contribution === undefined || !wanted[index]) return
      const before = arrived.get(input)
      arrived.set(input, before === undefined ? contribution : b.add(before, contribution))
    })
  }
  return targets.map(target => arrived.get(target.name) ?? b.expand(b.constant(0), target.shape))
}
