/**
 * Operators that are computed inside a later one: a normalization or the gradient of a convolution's input inside the
 * sum that takes it, and the ReLU behind inside the same kernel.
 */
import type { Graph, GraphNode } from '../../graph/index.ts'
import { type Affine, emitAffine, emitNormalized, emitRunningAffine, emitStatistics } from './batch-norm.ts'
import type { BlockedEmission, BlockedNode } from './blocked-emission.ts'
import { emitConv, emitInputGradient, hasInputGradient } from './convolution.ts'

type Deferred =
  | { readonly kind: 'affine'; readonly affine: Affine }
  | { readonly kind: 'input-gradient'; readonly node: BlockedNode<'ConvInputGradient'> }

export class Fusion {
  readonly #emission: BlockedEmission
  readonly #consumers = new Map<string, GraphNode[]>()
  readonly #position = new Map<GraphNode, number>()
  readonly #kept: ReadonlySet<string>
  /** By the name of the value that has not been computed yet. */
  readonly #deferred = new Map<string, Deferred>()
  /** Nodes that an earlier one has computed. */
  readonly #done = new Set<GraphNode>()

  /** `kept`: values that must exist whoever consumes them. */
  constructor(emission: BlockedEmission, graph: Graph, kept: ReadonlySet<string>) {
    this.#emission = emission
    this.#kept = kept
    graph.nodes.forEach((node, index) => {
      this.#position.set(node, index)
      for (const input of node.inputs) {
        const known = this.#consumers.get(input)
        if (known === undefined) this.#consumers.set(input, [node])
        else known.push(node)
      }
    })
  }

  /** True where the node is computed, or is going to be inside another one. */
  emit(node: GraphNode): boolean {
    if (this.#done.has(node)) return true
    switch (node.op) {
      case 'Conv':
        return this.#conv(node)
      case 'BatchNormalization':
        return (
          this.#emission.isMap(node.inputs[0]!) &&
          this.#affine(node, () => emitRunningAffine(this.#emission, node))
        )
      case 'BatchNormalizationTraining':
        return (
          this.#emission.isMap(node.inputs[0]!) &&
          this.#affine(node, () => emitStatistics(this.#emission, node))
        )
      case 'ConvInputGradient':
        return this.#inputGradient(node)
      case 'Add':
        return this.#add(node)
      default:
        return false
    }
  }

  #conv(node: BlockedNode<'Conv'>): boolean {
    const plan = this.#emission.plan(node)
    const relu = this.#onlyConsumer(node.outputs[0]!, 'Relu')
    if (plan === undefined || relu === undefined) return false
    emitConv(this.#emission, node, plan, relu.outputs[0]!, { relu: true })
    this.#done.add(relu)
    return true
  }

  #affine(node: GraphNode, prepare: () => Affine): boolean {
    const y = node.outputs[0]!
    const affine = prepare()
    const relu = this.#onlyConsumer(y, 'Relu')
    const add = this.#onlyConsumer(y, 'Add')
    if (relu !== undefined) {
      emitNormalized(this.#emission, affine, relu.outputs[0]!, { relu: true })
      this.#done.add(relu)
    } else if (add !== undefined && this.#isMapSum(add)) this.#deferred.set(y, { kind: 'affine', affine })
    else emitNormalized(this.#emission, affine, y)
    return true
  }

  #inputGradient(node: BlockedNode<'ConvInputGradient'>): boolean {
    const plan = this.#emission.plan(node)
    const dx = node.outputs[0]!
    const add = this.#onlyConsumer(dx, 'Add')
    if (plan === undefined || !hasInputGradient(plan) || plan.rows.stride * plan.columns.stride > 1)
      return false
    if (add === undefined || !this.#isMapSum(add)) return false
    this.#deferred.set(dx, { kind: 'input-gradient', node })
    return true
  }

  #add(node: BlockedNode<'Add'>): boolean {
    const [first, second] = node.inputs as readonly [string, string]
    const firstDeferred = this.#deferred.get(first)
    const secondDeferred = this.#deferred.get(second)
    if (firstDeferred === undefined && secondDeferred === undefined) return false
    if (firstDeferred !== undefined && secondDeferred !== undefined) this.#compute(first, firstDeferred)
    const late = secondDeferred === undefined ? first : second
    const other = late === first ? second : first
    const relu = this.#onlyConsumer(node.outputs[0]!, 'Relu')
    this.#sum(late, this.#deferred.get(late)!, other, node, relu)
    if (relu !== undefined) this.#done.add(relu)
    return true
  }

  /** The value of its own, where two deferred ones meet. */
  #compute(name: string, deferred: Deferred): void {
    if (deferred.kind === 'affine') emitNormalized(this.#emission, deferred.affine, name)
    else emitInputGradient(this.#emission, deferred.node, this.#emission.plan(deferred.node)!, name)
    this.#deferred.delete(name)
  }

  #sum(
    late: string,
    deferred: Deferred,
    otherName: string,
    add: GraphNode,
    relu: GraphNode | undefined,
  ): void {
    const emission = this.#emission
    const output = (relu ?? add).outputs[0]!
    const other = emission.maps(otherName)
    const isFree = this.#lastUse(otherName) === add
    if (deferred.kind === 'input-gradient') {
      const plan = emission.plan(deferred.node)!
      if (isFree && relu === undefined) {
        emitInputGradient(emission, deferred.node, plan, output, other)
        return
      }
      this.#compute(late, deferred)
      this.#plainSum(emission.maps(late), other, output, relu !== undefined)
      return
    }
    const { affine } = deferred
    const options = { relu: relu !== undefined }
    if (isFree) emitNormalized(emission, affine, output, { ...options, sum: other })
    else {
      // The other summand is still needed and must not be overwritten: it is the one that is read.
      const { x, scale, shift, sizes } = affine
      const own = emitAffine(emission, x, scale, shift, sizes)
      const ones = emission.e.floats(new Float32Array(sizes.channels).fill(1))
      emission.defineMaps(
        output,
        emitAffine(emission, other, ones, undefined, sizes, { ...options, sum: own }),
        false,
      )
    }
  }

  #plainSum(first: string, second: string, output: string, relu: boolean): void {
    const { e } = this.#emission
    const sum = e.emit('Add', [first, second])
    this.#emission.defineMaps(output, relu ? e.emit('Relu', [sum]) : sum, false)
  }

  #isMapSum(add: GraphNode): boolean {
    const [first, second] = add.inputs as readonly [string, string]
    const shape = (name: string) => this.#emission.shape(name).join()
    return (
      first !== second &&
      [first, second, add.outputs[0]!].every(name => this.#emission.isMap(name)) &&
      shape(first) === shape(second)
    )
  }

  /** The consumer, if it is the only one and of this kind. */
  #onlyConsumer<Name extends 'Relu' | 'Add'>(name: string, op: Name): BlockedNode<Name> | undefined {
    const consumers = this.#consumers.get(name) ?? []
    const [only] = consumers
    if (consumers.length !== 1 || only!.op !== op || this.#kept.has(name)) return undefined
    if (!this.#emission.isMap(only!.outputs[0]!)) return undefined
    return only as BlockedNode<Name>
  }

  #lastUse(name: string): GraphNode | undefined {
    if (this.#kept.has(name)) return undefined
    const position = (node: GraphNode) => this.#position.get(node)!
    return this.#consumers.get(name)?.reduce((last, node) => (position(node) > position(last) ? node : last))
  }
}
