/** Convolution and the gradient of its input on blocked maps. */
import type { BlockedEmission, BlockedNode, BlockedRules, ConvCall } from './blocked-emission.ts'
import { type ConvPlan, isPhased } from './conv-plan.ts'
import { emitConvWeightGradient } from './conv-weight-gradient.ts'
import { flippedWeight, phasedWeight } from './phased-weight.ts'
import { fromPhases, toPhases } from './phases.ts'
import { weightOrder } from './weight-order.ts'

/** What an operator after the convolution adds to it: a sum, and a ReLU. */
export type Epilogue = Pick<ConvCall, 'sum' | 'relu'>

/** The result of a convolution under the name that the epilogue's last operator gives it. */
export function emitConv(
  emission: BlockedEmission,
  node: BlockedNode<'Conv'>,
  plan: ConvPlan,
  output: string,
  epilogue: Epilogue = {},
): void {
  const [x, weight, bias] = node.inputs as readonly [string, string, string?]
  const { block } = emission
  const { rows, columns, groups } = plan
  const { n, samples } = plan.samples
  const source = toPhases(
    emission,
    plan.input === 'lanes' ? emission.lanes(x) : emission.maps(x),
    plan,
    plan.input,
  )
  const order = weightOrder(emission.shape(weight), plan, block)
  const filters = phasedWeight(emission, emission.weight(weight, order), plan)
  const y = emission.conv(source, filters, {
    kernel: [rows.kernel, columns.kernel],
    dilations: [rows.dilation, columns.dilation * samples],
    pads: [rows.before, columns.before * samples, rows.after, columns.after * samples],
    groups,
    bias: bias === undefined ? undefined : emission.plain(bias),
    ...epilogue,
  })
  const keepsZero =
    bias === undefined &&
    (plan.input === 'lanes' || emission.isZeroTailed(emission.maps(x), n)) &&
    epilogue.sum === undefined
  emission.defineMaps(output, y, keepsZero)
}

/** Whether the gradient of the input is a convolution too: its padding must not be negative. */
export function hasInputGradient(plan: ConvPlan): boolean {
  return (
    plan.input === 'maps' &&
    [plan.rows, plan.columns].every(axis => {
      const reach = (axis.kernel - 1) * axis.dilation
      return axis.before <= reach && axis.after <= reach
    })
  )
}

/** dx, with `sum` added to it, as a map of the given name. */
export function emitInputGradient(
  emission: BlockedEmission,
  node: BlockedNode<'ConvInputGradient'>,
  plan: ConvPlan,
  output: string,
  sum?: string,
): void {
  const [dy, weight] = node.inputs as readonly [string, string]
  const { block } = emission
  const { rows, columns, groups } = plan
  const { n, samples } = plan.samples
  const order = weightOrder(emission.shape(weight), plan, block)
  const gradient = emission.maps(dy)
  const reach = (axis: typeof rows) => (axis.kernel - 1) * axis.dilation
  const dx = emission.conv(gradient, flippedWeight(emission, emission.weight(weight, order), plan), {
    kernel: [rows.kernel, columns.kernel],
    dilations: [rows.dilation, columns.dilation * samples],
    pads: [
      reach(rows) - rows.before,
      (reach(columns) - columns.before) * samples,
      reach(rows) - rows.after,
      (reach(columns) - columns.after) * samples,
    ],
    groups,
    sum,
  })
  const isZero = emission.isZeroTailed(gradient, n) && (sum === undefined || emission.isZeroTailed(sum, n))
  emission.defineMaps(output, isPhased(plan) ? fromPhases(emission, dx, plan) : dx, isZero)
}

export const convolution = {
  Conv: (emission, node) => {
    const plan = emission.plan(node)
    if (plan === undefined) return false
    emitConv(emission, node, plan, node.outputs[0]!)
    return true
  },
  ConvInputGradient: (emission, node) => {
    const plan = emission.plan(node)
    if (plan === undefined || !hasInputGradient(plan)) return false
    emitInputGradient(emission, node, plan, node.outputs[0]!)
    return true
  },
  ConvWeightGradient: (emission, node) => {
    const plan = emission.plan(node)
    return plan !== undefined && emitConvWeightGradient(emission, node, plan)
  },
} satisfies BlockedRules
