/** Puts a tensor together from the parts of its filters. */
import { applyFactors } from '../codec/ternary.ts'
import { sumOf } from '../codec/tuned.ts'
import type { PackedTensor, TernaryTensor } from '../tensors.ts'

/** The whole of `parts`, or undefined where they are not stored alike. */
export function joinParts(
  shape: readonly number[],
  parts: readonly PackedTensor[],
): PackedTensor | undefined {
  const [first] = parts
  const isTernary = (part: PackedTensor): part is TernaryTensor => part.kind === 'ternary'
  if (parts.every(isTernary)) return joinTernary(shape, parts)
  if (first!.kind === 'ternary') return undefined
  const { storage } = first!
  const data = () => joined(parts.map(part => (part as Exclude<PackedTensor, TernaryTensor>).data))
  switch (storage) {
    case 'f32':
    case 'f16':
      if (!parts.every(part => part.kind === 'dense' && part.storage === storage)) return undefined
      return { kind: 'dense', shape, storage, data: data() }
    case 'i8': {
      const ints = parts.flatMap(part => (part.kind === 'dense' && part.storage === 'i8' ? [part] : []))
      if (ints.length < parts.length) return undefined
      const codes = joined(ints.map(part => part.codes))
      return {
        kind: 'dense',
        shape,
        storage,
        data: data(),
        codes,
        scale: joined(ints.map(part => part.scale)),
      }
    }
    case 'terms': {
      const sums = parts.flatMap(part => (part.kind === 'dense' && part.storage === 'terms' ? [part] : []))
      const { length } = sums[0]!.terms
      if (sums.length < parts.length || sums.some(({ terms }) => terms.length !== length)) return undefined
      const terms = sums[0]!.terms.flatMap((_, term) => {
        return (
          joinTernary(
            shape,
            sums.map(part => part.terms[term]!),
          ) ?? []
        )
      })
      return terms.length < length ? undefined : sumOf(terms)
    }
    default:
      return storage satisfies never
  }
}

/** One pair of magnitudes, or one pair and scales, for all parts, otherwise a pair for each filter. */
function joinTernary(shape: readonly number[], parts: readonly TernaryTensor[]): TernaryTensor | undefined {
  const assignment = joined(parts.map(part => part.assignment))
  const { factors, positive, negative } = parts[0]!
  if (factors !== undefined) {
    const isShared = parts.every(
      part => part.factors?.positive === factors.positive && part.factors.negative === factors.negative,
    )
    if (!isShared) return undefined
    const scale = joined(parts.map(part => part.factors!.scale))
    return { kind: 'ternary', shape, assignment, ...applyFactors({ ...factors, scale }) }
  }
  if (parts.some(part => part.factors !== undefined)) return undefined
  const isOne = parts.every(
    part =>
      part.positive.length === 1 && part.positive[0] === positive[0] && part.negative[0] === negative[0],
  )
  if (isOne) return { kind: 'ternary', shape, assignment, positive, negative }
  const spread = (side: 'positive' | 'negative') =>
    joined(
      parts.map(part => {
        const values = part[side]
        return values.length === 1 ? new Float32Array(part.shape[0]!).fill(values[0]!) : values
      }),
    )
  return { kind: 'ternary', shape, assignment, positive: spread('positive'), negative: spread('negative') }
}

function joined<Numbers extends Int8Array | Float32Array>(pieces: readonly Numbers[]): Numbers {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const all = pieces[0] instanceof Int8Array ? new Int8Array(length) : new Float32Array(length)
  let start = 0
  for (const piece of pieces) {
    all.set(piece, start)
    start += piece.length
  }
  return all as Numbers
}
