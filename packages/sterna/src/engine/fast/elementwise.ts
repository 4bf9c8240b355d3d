/** Operators that work on each element alone, and reductions of all elements, in whatever order these lie. */
import { sameShape } from '../../core/index.ts'
import type { GraphNode, OperatorName, Value } from '../../graph/index.ts'
import type { Rule } from '../standard/emission.ts'
import { standardRules } from '../standard/table.ts'
import { type BlockedEmission, type BlockedNode, type BlockedRules, isSingle } from './blocked-emission.ts'

/** Operators whose result is zero wherever all their full-size inputs are, or, for a product, any of them. */
const keepsZero: ReadonlySet<OperatorName> = new Set([
  'Identity',
  'Dropout',
  'Relu',
  'Tanh',
  'HardSwish',
  'Neg',
  'Abs',
  'Sqrt',
  'IsPositive',
  'Round',
  'Add',
  'Sub',
  'Mul',
])

export function emitElementwise(emission: BlockedEmission, node: GraphNode): boolean {
  const output = emission.value(node.outputs[0]!)
  const isFull = (name: string) => sameShape(emission.shape(name), output.shape)
  if (!node.inputs.every(name => isFull(name) || isSingle(emission.shape(name)))) return false
  const order = emission.layouts.weights.get(output.name)
  if (order !== undefined) {
    const names = node.inputs.map(name =>
      isFull(name) ? emission.weight(name, order) : emission.plain(name),
    )
    const inputs = node.inputs.map(name => emission.value(name))
    emission.defineWeight(output.name, applyStandard(emission, node, names, inputs, output), order)
    return true
  }
  if (!emission.isMap(output.name)) return false
  const shape = emission.mapShape(emission.sizes(output.name))
  const names = node.inputs.map(name => (isFull(name) ? emission.maps(name) : emission.plain(name)))
  const inputs = node.inputs.map(name => ({
    ...emission.value(name),
    shape: isFull(name) ? shape : emission.shape(name),
  }))
  const zero = applyStandard(emission, node, names, inputs, { ...output, shape })
  emission.defineMaps(output.name, zero, hasZeroTail(emission, node, isFull))
  return true
}

function hasZeroTail(emission: BlockedEmission, node: GraphNode, isFull: (name: string) => boolean): boolean {
  if (!keepsZero.has(node.op)) return false
  const full = node.inputs.filter(isFull)
  const tails = full.map(name => emission.isZeroTailed(emission.maps(name), emission.shape(name)[0]!))
  if (node.op === 'Mul') return tails.includes(true)
  return full.length === node.inputs.length && !tails.includes(false)
}

/** Emits the node by the standard rule on other names, and returns that of its output. */
function applyStandard(
  { e }: BlockedEmission,
  node: GraphNode,
  names: readonly string[],
  inputs: readonly Value[],
  output: Value,
): string {
  const out = e.fresh()
  const rule = standardRules[node.op] as Rule<OperatorName>
  rule({
    e,
    names,
    inputs,
    outputs: [{ ...output, name: out }],
    out,
    attributes: node.attributes,
    device: 'cpu',
  })
  return out
}

/** Sizes change, the order of the elements does not. */
export function emitRenaming(emission: BlockedEmission, node: GraphNode): boolean {
  const output = node.outputs[0]!
  const order = emission.layouts.weights.get(output)
  if (order === undefined) return false
  const renamed = emission.e.reshape(emission.weight(node.inputs[0]!, order), emission.shape(output))
  emission.defineWeight(output, renamed, order)
  return true
}

/** Reads all inputs in one order, whichever the first has. */
function emitOrderless(emission: BlockedEmission, node: GraphNode): boolean {
  const [first] = node.inputs
  const order = emission.layouts.weights.get(first!)
  if (order === undefined) return false
  const output = emission.value(node.outputs[0]!)
  const names = node.inputs.map(name => emission.weight(name, order))
  const inputs = node.inputs.map(name => emission.value(name))
  emission.definePlain(output.name, applyStandard(emission, node, names, inputs, output))
  return true
}

function emitFullReduction(
  emission: BlockedEmission,
  node: BlockedNode<'ReduceSum' | 'ReduceMean' | 'ReduceMin' | 'ReduceMax'>,
): boolean {
  const rank = emission.shape(node.inputs[0]!).length
  const axes = new Set(node.attributes.axes.map(axis => (axis < 0 ? axis + rank : axis)))
  return axes.size === rank && emitOrderless(emission, node)
}

export const orderless = {
  ReduceSum: emitFullReduction,
  ReduceMean: emitFullReduction,
  ReduceMin: emitFullReduction,
  ReduceMax: emitFullReduction,
  Dot: emitOrderless,
  SortDescending: emitOrderless,
} satisfies BlockedRules
