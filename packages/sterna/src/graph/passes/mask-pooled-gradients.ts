/**
 * The gradient of a ReLU in front of a maximum pooling, taken on the smaller side: dx is zero except where x is the
 * maximum y of its window, so MaxPoolGradient(x, y, dy) · [x > 0] = MaxPoolGradient(x, y, dy · [y > 0]).
 */
import type { Graph, GraphNode, Value } from '../types.ts'

type Node<Op extends GraphNode['op']> = Extract<GraphNode, { readonly op: Op }>

/** What the exchange leaves without a reader stays in the graph, see `withoutUnused`. */
export function maskPooledGradients(graph: Graph): Graph {
  const producers = new Map(
    graph.nodes.flatMap(node => node.outputs.map((output): [string, GraphNode] => [output, node])),
  )
  const values = new Map(graph.values)
  const nodes = graph.nodes.flatMap(node => {
    const gradient = node.op === 'Mul' ? maskedGradient(node, producers) : undefined
    if (gradient === undefined) return [node]
    const [x, y, dy] = gradient.inputs as readonly [string, string, string]
    const small = (name: string): Value => {
      const value = { ...graph.values.get(y)!, name: `${node.name}/${name}` }
      values.set(value.name, value)
      return value
    }
    const [mask, masked] = [small('mask').name, small('masked').name]
    const made: readonly GraphNode[] = [
      { op: 'IsPositive', name: mask, inputs: [y], outputs: [mask], attributes: {} },
      { op: 'Mul', name: masked, inputs: [dy, mask], outputs: [masked], attributes: {} },
      { ...gradient, name: node.name, inputs: [x, y, masked], outputs: node.outputs },
    ]
    return made
  })
  return { ...graph, nodes, values }
}

/** The gradient of a pooling of x, where the product is with [x > 0]. */
function maskedGradient(
  product: Node<'Mul'>,
  producers: ReadonlyMap<string, GraphNode>,
): Node<'MaxPoolGradient'> | undefined {
  const factors = product.inputs.map(input => producers.get(input))
  const gradient = factors.find(factor => factor?.op === 'MaxPoolGradient')
  const mask = factors.find(factor => factor?.op === 'IsPositive')
  if (gradient?.op !== 'MaxPoolGradient' || mask?.inputs[0] !== gradient.inputs[0]) return undefined
  return gradient
}
