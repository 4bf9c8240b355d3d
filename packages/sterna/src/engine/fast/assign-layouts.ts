/**
 * Decides for every value how it lies in memory. Values that elementwise operators tie together share one layout, so
 * that a convolution's blocks reach from activation to gradient and from gradient to the optimiser's tensors without a
 * conversion; every other operator asks for what it needs and gets a conversion where that differs.
 */
import type { ConvAttributes } from 'sterna-runtime'
import { type Shape, sameShape, sizeOf } from '../../core/index.ts'
import type { GraphNode, OperatorName } from '../../graph/index.ts'
import { graphValue } from '../lowered-model.ts'
import type { Program } from '../types.ts'
import { type ConvPlan, isBlockable, planConv } from './conv-plan.ts'
import { type WeightOrder, weightOrder } from './weight-order.ts'

export interface Layouts {
  /** By node name, for convolutions and their gradients. */
  readonly convolutions: ReadonlyMap<string, ConvPlan>
  /** Values that are kept as blocked maps. */
  readonly maps: ReadonlySet<string>
  /** Values that are kept in the order of a convolution's weight. */
  readonly weights: ReadonlyMap<string, WeightOrder>
  /** Why a node is left to the standard operators, by node name. */
  readonly reasons: ReadonlyMap<string, string>
}

/** One element of the output for one of each input at the same place; scalars are broadcast. */
const elementwise: ReadonlySet<OperatorName> = new Set([
  'Identity',
  'Dropout',
  'Relu',
  'Sigmoid',
  'Tanh',
  'HardSwish',
  'HardSigmoid',
  'Clip',
  'Neg',
  'Abs',
  'Exp',
  'Log',
  'Sqrt',
  'Reciprocal',
  'IsPositive',
  'Round',
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Min',
  'Max',
  'Clamp',
])

const renaming: ReadonlySet<OperatorName> = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'])

/** Operators whose blocked rule takes and gives maps. */
const mapping: ReadonlySet<OperatorName> = new Set([
  'BatchNormalization',
  'BatchNormalizationTraining',
  'BatchNormalizationGradient',
  'MaxPool',
  'MaxPoolGradient',
  'AveragePool',
  'AveragePoolGradient',
  'Slice',
  'SliceGradient',
  'Pad',
])

export function isElementwise(op: OperatorName): boolean {
  return elementwise.has(op)
}

export function isRenaming(op: OperatorName): boolean {
  return renaming.has(op)
}

/** Sets of values that share a layout, with the layouts asked for in each. */
class Classes<Wish> {
  readonly #parent = new Map<string, string>()
  readonly #wishes = new Map<string, Map<string, Wish>>()

  find(name: string): string {
    let root = name
    for (let up = this.#parent.get(root); up !== undefined; up = this.#parent.get(root)) root = up
    if (root !== name) this.#parent.set(name, root)
    return root
  }

  join(first: string, second: string): void {
    const [kept, gone] = [this.find(first), this.find(second)]
    if (kept === gone) return
    this.#parent.set(gone, kept)
    const wishes = this.#wishes.get(gone)
    if (wishes !== undefined) this.#wishes.set(kept, new Map([...(this.#wishes.get(kept) ?? []), ...wishes]))
  }

  wish(name: string, key: string, wish: Wish): void {
    const root = this.find(name)
    const wishes = this.#wishes.get(root) ?? new Map<string, Wish>()
    this.#wishes.set(root, wishes.set(key, wish))
  }

  /** The wish that all of the class agree on. */
  agreed(name: string): Wish | undefined {
    const wishes = this.#wishes.get(this.find(name))
    return wishes?.size === 1 ? [...wishes.values()][0] : undefined
  }
}

export function assignLayouts(program: Program, block: number): Layouts {
  const { graph } = program
  const shapeOf = (name: string): Shape => graphValue(graph, name, 'layout').shape
  const images = new Set(graph.inputs.map(input => input.name))
  const maps = new Classes<true>()
  const weights = new Classes<WeightOrder>()
  const convolutions = new Map<string, ConvPlan>()
  const reasons = new Map<string, string>()

  for (const node of graph.nodes) {
    tie(node, shapeOf, maps, weights)
    const edges = convEdges(node, shapeOf)
    if (edges === undefined) continue
    const { x, weight, y, attributes } = edges
    const plan = planConv(x.shape, weight.shape, y.shape, attributes, block, images.has(x.name))
    if (typeof plan === 'string') {
      reasons.set(node.name, plan)
      continue
    }
    convolutions.set(node.name, plan)
    const order = weightOrder(weight.shape, plan, block)
    weights.wish(weight.name, order.key, order)
    maps.wish(y.name, '', true)
    if (plan.input === 'maps') maps.wish(x.name, '', true)
  }
  for (const [parameter, output] of program.state) weights.join(parameter, output)

  const mapNames = new Set<string>()
  const weightOrders = new Map<string, WeightOrder>()
  for (const { name, shape, dtype } of graph.values.values()) {
    if (dtype !== 'f32') continue
    const order = weights.agreed(name)
    if (order !== undefined && sizeOf(order.dims) === sizeOf(shape)) weightOrders.set(name, order)
    else if (maps.agreed(name) !== undefined && isBlockable(shape, block)) mapNames.add(name)
  }
  return { convolutions, maps: mapNames, weights: weightOrders, reasons }
}

function tie(
  node: GraphNode,
  shapeOf: (name: string) => Shape,
  maps: Classes<true>,
  weights: Classes<WeightOrder>,
): void {
  const output = node.outputs[0]!
  const shape = shapeOf(output)
  if (isElementwise(node.op)) {
    for (const input of node.inputs) {
      if (sizeOf(shape) === 1 || !sameShape(shapeOf(input), shape)) continue
      maps.join(output, input)
      weights.join(output, input)
    }
  } else if (isRenaming(node.op)) {
    if (sizeOf(shape) > 1) weights.join(output, node.inputs[0]!)
  } else if (mapping.has(node.op)) {
    for (const input of node.inputs) if (shapeOf(input).length === 4) maps.join(output, input)
  }
}

/** The three tensors of a convolution, of which a gradient has the third as its output. */
function convEdges(node: GraphNode, shapeOf: (name: string) => Shape) {
  const edges = (x: string, weight: string, y: string, attributes: ConvAttributes) => {
    const edge = (name: string) => ({ name, shape: shapeOf(name) })
    return { x: edge(x), weight: edge(weight), y: edge(y), attributes }
  }
  const [first, second] = node.inputs as readonly [string, string]
  const output = node.outputs[0]!
  if (node.op === 'Conv') return edges(first, second, output, node.attributes)
  if (node.op === 'ConvInputGradient') return edges(output, second, first, node.attributes)
  if (node.op === 'ConvWeightGradient') return edges(first, output, second, node.attributes)
  return undefined
}
