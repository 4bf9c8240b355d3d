/** Small helpers for messages. */

/** Up to three of `names` that are nearest to `wanted` by edit distance, nearest first. */
export function closest(wanted: string, names: readonly string[]): readonly string[] {
  const short = wanted.slice(0, 64).toLowerCase()
  return names
    .map(name => ({ name, distance: editDistance(short, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name)
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
