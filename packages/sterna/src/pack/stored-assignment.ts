/** The levels of a ternary tensor as its payload holds them. */
import type { TernaryTensor } from 'sterna-runtime'
import { turnSigns } from 'sterna-runtime/format'

/** With the signs from before a folded batch norm turned some filters; not to be written to. */
export function storedAssignment({ assignment, factors }: TernaryTensor): Int8Array {
  return factors === undefined ? assignment : turnSigns(assignment.slice(), factors.scale)
}
