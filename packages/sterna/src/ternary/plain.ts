/** Plain arithmetic on weights, in float64 where something is summed. */

/** Mean |w| of each of `groups` equal parts. */
export function filterMeans(data: Float32Array, groups: number): Float32Array {
  return mapGroups(data, groups, part => {
    let sum = 0
    for (const w of part) sum += Math.abs(w)
    return sum / Math.max(1, part.length)
  })
}

/** One number for each of `groups` equal parts of `data`. */
export function mapGroups(
  data: Float32Array,
  groups: number,
  measure: (part: Float32Array, group: number) => number,
): Float32Array {
  const length = data.length / Math.max(1, groups)
  return Float32Array.from({ length: groups }, (_, group) =>
    measure(data.subarray(group * length, (group + 1) * length), group),
  )
}

/** +1 above `upper`, −1 below `lower`, else 0 (bounds included). */
export function signsOutside(part: Float32Array, lower: number, upper: number, signs: Int8Array): void {
  for (let i = 0; i < part.length; i++) signs[i] = part[i]! > upper ? 1 : part[i]! < lower ? -1 : 0
}
