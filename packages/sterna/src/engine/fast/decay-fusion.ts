/**
 * Weight decay inside the matrix product that gives a gradient: product + λ·weight is one Gemm. For a fully connected
 * layer that saves two trips through memory and a tensor of the weight's size at the step's peak.
 */
import type { Graph, GraphNode } from '../../graph/index.ts'
import { float, int } from '../onnx-emitter.ts'
import type { BlockedEmission, BlockedNode } from './blocked-emission.ts'
import { isSingle } from './blocked-emission.ts'

interface DecayedProduct {
  readonly product: BlockedNode<'Gemm'>
  readonly weight: string
  readonly decay: number
}

export class DecayFusion {
  readonly #emission: BlockedEmission
  /** By the sum that completes it. */
  readonly #sums = new Map<GraphNode, DecayedProduct>()
  readonly #inside = new Set<GraphNode>()

  /** `kept`: values that must exist whoever consumes them. */
  constructor(emission: BlockedEmission, graph: Graph, kept: ReadonlySet<string>) {
    this.#emission = emission
    const producers = new Map<string, GraphNode>()
    const uses = new Map<string, number>()
    for (const node of graph.nodes) {
      for (const input of node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1)
      for (const output of node.outputs) producers.set(output, node)
    }
    const onlyHere = (name: string) => uses.get(name) === 1 && !kept.has(name)
    for (const sum of graph.nodes) {
      if (sum.op !== 'Add') continue
      const [product, decayed] = sum.inputs.map(input => producers.get(input))
      if (product?.op !== 'Gemm' || product.inputs.length > 2 || decayed?.op !== 'Mul') continue
      if (!sum.inputs.every(onlyHere) || emission.layouts.weights.has(sum.outputs[0]!)) continue
      const [weight, factor] = decayed.inputs as readonly [string, string]
      const decay = graph.constants.get(factor)
      if (decay === undefined || !isSingle(decay.shape)) continue
      this.#sums.set(sum, { product, weight, decay: Number(decay.data[0]) })
      this.#inside.add(product).add(decayed)
    }
  }

  /** True where the node is computed, or is going to be inside the sum. */
  emit(node: GraphNode): boolean {
    if (this.#inside.has(node)) return true
    const found = this.#sums.get(node)
    if (found === undefined) return false
    const { product, weight, decay } = found
    const { alpha, transA, transB } = product.attributes
    const factors = [...product.inputs, weight].map(name => this.#emission.plain(name))
    this.#emission.e.emit(
      'Gemm',
      factors,
      { alpha: float(alpha), beta: float(decay), transA: int(transA ? 1 : 0), transB: int(transB ? 1 : 0) },
      node.outputs[0]!,
    )
    this.#emission.definePlain(node.outputs[0]!)
    return true
  }
}
