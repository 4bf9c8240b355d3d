/** Bits of all levels at the entropy of their frequencies in this tensor (order 0). */
export function entropyBits(assignment: Int8Array): number {
  const counts = [0, 0, 0]
  for (const level of assignment) counts[level + 1]! += 1
  return counts.reduce(
    (bits, count) => (count === 0 ? bits : bits - count * Math.log2(count / assignment.length)),
    0,
  )
}
