/** How many contexts each kind of decision about a ternary weight has; `docs/format.md` says what they look at. */

/** What decides whether a weight is zero, by number in a payload; `docs/format.md` says what each looks at. */
export const contextSets = ['plane', 'kernel', 'matrix'] as const
export type ContextSet = (typeof contextSets)[number]

export const densityClasses = 7
export const fineDensityClasses = 13
/** By left and up: none, one, two equal, two opposite. */
export const neighbourClasses = 4
export const largestPlace = 63
export const largestCount = 8
export const largestBalance = 2
export const balances: number = 2 * largestBalance + 1
const zeroContexts = {
  plane: neighbourClasses * densityClasses,
  kernel: (largestPlace + 1) * (largestCount + 1) * neighbourClasses,
  matrix: fineDensityClasses,
} as const
/** By the sum of left and up. */
const signContexts = 5
/** Decisions that the tensor's own probabilities count for. */
export const startsAfter = 2

/** Contexts of a set, or of none, for the decision about zero and for that about the sign, for each value below. */
export const setSizes = (set: ContextSet | 'fixed'): { readonly zeros: number; readonly signs: number } => ({
  zeros: set === 'fixed' ? densityClasses : zeroContexts[set],
  signs: set === 'kernel' ? signContexts * balances : signContexts,
})

export const tableSize = 256
export const tables = 4
export const learningShift = 14
export const largestMix = 0x7_ffff
/** Weights of the mixes, and what each starts with. */
export const mixWeights: number = 3 * tables * (neighbourClasses + 1)
export const firstMix = 22_000
