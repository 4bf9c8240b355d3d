import type { TernaryTensor } from '../tensors.ts'

export const describeZeros = (count: number, total: number): string =>
  `${((100 * (total - count)) / total).toFixed(1)} % zeros`

export function countNonZeros(weight: TernaryTensor): number {
  if (weight.lists !== undefined) return weight.lists.positions.length
  const { assignment } = weight
  let count = 0
  for (let i = 0; i < assignment.length; i++) count += assignment[i] === 0 ? 0 : 1
  return count
}
