/** Where a convolution's weights lie in the order in which the blocked kernels read them. */
import type { Shape } from '../../core/index.ts'
import type { MemoryOrder } from '../memory-order.ts'
import type { ConvPlan } from './conv-plan.ts'

export interface WeightOrder extends MemoryOrder {
  /** Equal for equal orders. */
  readonly key: string
}

/** [O/b, C/b, kH, kW, b of C, b of O]; [O/b, C, kH, kW, b] for lanes; [C/b, kH, kW, b] for depthwise weights. */
export function weightOrder(shape: Shape, plan: ConvPlan, block: number): WeightOrder {
  const [filters, channels, height, width] = shape as [number, number, number, number]
  if (plan.isDepthwise) {
    return orderOf([filters / block, block, height, width], [0, 2, 3, 1])
  }
  if (plan.input === 'lanes') {
    return orderOf([filters / block, block, channels, height, width], [0, 2, 3, 4, 1])
  }
  return orderOf([filters / block, block, channels / block, block, height, width], [0, 2, 4, 5, 3, 1])
}

function orderOf(dims: readonly number[], perm: readonly number[]): WeightOrder {
  return { key: `${dims}|${perm}`, dims, perm }
}

export function inverse(perm: readonly number[]): number[] {
  const result = perm.map(() => 0)
  perm.forEach((axis, at) => {
    result[axis] = at
  })
  return result
}
