/** Where padded copies of inputs and sums of neighbours lie. */
import type { Choice } from '../kernel.ts'
import type { WindowLayout } from './window.ts'

export interface Scratch {
  /** Where the padded copy of the input lies, if the kernel needs one. */
  readonly scratchAddress?: number
  /** Where the sums of neighbouring inputs lie that all layers share which have some. */
  readonly sumsAddress?: number
  /** Where a kernel keeps what it computes in between, in memory that all layers share. */
  readonly workAddress?: number
}

/**
 * Scratch space of each choice; layers of equal geometry share theirs.
 * @param take gives the address of so many new bytes
 */
export function assignScratch(
  choices: readonly Choice[],
  take: (bytes: number) => number,
): readonly Scratch[] {
  const floatsOf = new Map<string, number>()
  let sumFloats = 0
  let workFloats = 0
  for (const choice of choices) {
    workFloats = Math.max(workFloats, workOf(choice) ?? 0)
    const { scratch, sums } = layoutOf(choice) ?? {}
    sumFloats = Math.max(sumFloats, sums?.floats ?? 0)
    if (scratch === undefined) continue
    const key = keyOf(choice, scratch.key)
    floatsOf.set(key, Math.max(scratch.floats, floatsOf.get(key) ?? 0))
  }
  const addresses = new Map([...floatsOf].map(([key, floats]) => [key, take(4 * floats)]))
  const sumsAddress = take(4 * sumFloats)
  const workAddress = take(4 * workFloats)
  return choices.map(choice => {
    const { scratch, sums } = layoutOf(choice) ?? {}
    return {
      ...(scratch && { scratchAddress: addresses.get(keyOf(choice, scratch.key))! }),
      ...(sums && { sumsAddress }),
      ...(workOf(choice) !== undefined && { workAddress }),
    }
  })
}

const layoutOf = ({ kernel }: Choice): WindowLayout | undefined =>
  'layout' in kernel ? kernel.layout : undefined

const workOf = ({ kernel }: Choice): number | undefined =>
  'workFloats' in kernel ? kernel.workFloats : undefined

/** A border of −∞ is not one of zeros. */
const keyOf = ({ kernel }: Choice, key: string): string =>
  `${key} ${kernel.name === 'pool-tiles' ? kernel.pool : ''}`
