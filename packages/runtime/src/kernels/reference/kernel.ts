/**
 * The reference kernels: one plain function an operator, double-precision sums, no cleverness. They are
 * the oracle every faster kernel is tested against, and what runs where no faster kernel fits.
 */
import type { InferenceOperatorName, InferenceOperators } from '../../operators.ts'
import type { Shape } from '../../plan/shape.ts'

/** A tensor's shape and where its numbers lie, row-major. */
export interface View {
  readonly shape: Shape
  readonly data: Float32Array
}

/** Writes every element of `output`; shapes were checked by `inferShapes`. */
export type ReferenceKernel<Name extends InferenceOperatorName> = (
  attributes: InferenceOperators[Name],
  inputs: readonly View[],
  output: View,
) => void
