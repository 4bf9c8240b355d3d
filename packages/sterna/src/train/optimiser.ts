/** Optimiser updates as graph; one call a tensor. */
import type { GraphBuilder, Value } from '../graph/index.ts'
import type { OptimiserConfig } from './config.ts'

/** What the host computes anew for every step. */
export interface StepScalars {
  /** The group's learning rate times the schedule's factor, shape []. */
  readonly learningRate: Value
  /** Adam's 1/(1 − β₁ᵗ) and 1/√(1 − β₂ᵗ), shape []. */
  readonly firstCorrection: Value
  readonly secondCorrection: Value
}

export interface Update {
  readonly parameter: Value
  /** New values of the tensors `momentsOf` names. */
  readonly moments: readonly Value[]
}

/** Names of the tensors an optimiser keeps beside each parameter; all of the parameter's shape, all zero at first. */
export function momentsOf(optimiser: OptimiserConfig): readonly string[] {
  switch (optimiser.kind) {
    case 'sgd':
      return optimiser.momentum === 0 ? [] : ['momentum']
    case 'adam':
      return ['first', 'second']
    default:
      return optimiser satisfies never
  }
}

/** One update: decay is the L2 coefficient added to the gradient before the optimiser sees it. */
export function buildUpdate(
  b: GraphBuilder,
  optimiser: OptimiserConfig,
  parameter: Value,
  gradient: Value,
  moments: readonly Value[],
  decay: number,
  scalars: StepScalars,
): Update {
  const g = decay === 0 ? gradient : b.add(gradient, b.mul(parameter, decay))
  switch (optimiser.kind) {
    case 'sgd': {
      const { momentum, nesterov } = optimiser
      if (momentum === 0) return { parameter: b.sub(parameter, b.mul(g, scalars.learningRate)), moments: [] }
      const velocity = b.add(b.mul(moments[0]!, momentum), g)
      const direction = nesterov ? b.add(g, b.mul(velocity, momentum)) : velocity
      return { parameter: b.sub(parameter, b.mul(direction, scalars.learningRate)), moments: [velocity] }
    }
    case 'adam': {
      const { beta1, beta2, epsilon } = optimiser
      const first = b.add(b.mul(moments[0]!, beta1), b.mul(g, 1 - beta1))
      const second = b.add(b.mul(moments[1]!, beta2), b.mul(b.mul(g, g), 1 - beta2))
      const denominator = b.add(b.mul(b.sqrt(second), scalars.secondCorrection), epsilon)
      const rate = b.mul(scalars.learningRate, scalars.firstCorrection)
      return { parameter: b.sub(parameter, b.mul(b.div(first, denominator), rate)), moments: [first, second] }
    }
    default:
      return optimiser satisfies never
  }
}
