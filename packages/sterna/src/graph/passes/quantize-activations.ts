/** Activations brought to the values that bytes can hold, in a graph of floats. */
import type { ActivationRange } from 'sterna-runtime'
import { GraphBuilder } from '../builder.ts'
import { appendNode, replay } from '../replay.ts'
import type { Graph, Value } from '../types.ts'

/** By name of the value. */
export type ActivationRanges = ReadonlyMap<string, ActivationRange>

/** The same graph with the values in `ranges` quantized as soon as they are there. */
export function quantizeActivations(graph: Graph, ranges: ActivationRanges): Graph {
  const b = new GraphBuilder(graph.name)
  const values = new Map<string, Value>()
  for (const { name, shape, dtype } of graph.inputs) {
    values.set(name, quantizeOutputs(b, [name], [b.input(name, shape, dtype)], ranges)[0]!)
  }
  for (const { name, shape, dtype } of graph.parameters) values.set(name, b.parameter(name, shape, dtype))
  replay(b, graph, {
    values,
    replace: (node, inputs) => quantizeOutputs(b, node.outputs, appendNode(b, node, inputs), ranges),
  })
  return b.build(graph.outputs.map(output => values.get(output)!))
}

/**
 * What stands for `values` from here on: where there is a range under the name at the same place, the nearest number that
 * a byte can mean. The derivative is 1 inside the range and 0 outside (straight through; Jacob et al. 2018,
 * "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", section 3).
 */
export function quantizeOutputs(
  b: GraphBuilder,
  names: readonly string[],
  values: readonly Value[],
  ranges: ActivationRanges,
): readonly Value[] {
  return values.map((value, index) => {
    const range = ranges.get(names[index]!)
    if (range === undefined) return value
    const { scale, zero, max } = range
    return b.scope(`quantize/${value.name}`, () => {
      const clipped = b.op('Clip', [value], { min: -zero * scale, max: (max - zero) * scale })
      return b.mul(b.round(b.mul(clipped, Math.fround(1 / scale))), scale)
    })
  })
}
