/** Large tensors in parts: entry points from which a reader decodes at once, or before the rest has arrived. */
import type { PackedTensor, TermsTensor, TernaryTensor } from 'sterna-runtime'
import { applyFactors, sumOf } from 'sterna-runtime/format'
import { type EncodedTensor, encodeTensor, type Profile } from './encode-tensor.ts'
import { entropyBits } from './entropy.ts'

/** About the least that a part takes: what it learns anew and its place in the index, some 60 bytes, are little then. */
const usualPartBytes = 1 << 16

export interface EncodedParts {
  /** Of each part but the last, which has the rest. */
  readonly filtersEach: number
  readonly parts: readonly EncodedTensor[]
}

/** The tensor in one part, or in as many as are worth it; `plain` needs none, as it is copied more than decoded. */
export function encodeParts(
  tensor: PackedTensor,
  name: string,
  profile: Profile,
  partBytes = usualPartBytes,
): EncodedParts {
  const filters = tensor.shape[0] ?? 1
  const wanted = profile === 'plain' ? 1 : Math.floor(estimateBytes(tensor) / partBytes)
  const filtersEach = Math.ceil(filters / Math.max(1, Math.min(wanted, filters)))
  if (filtersEach >= filters) return { filtersEach: filters, parts: [encodeTensor(tensor, name, profile)] }
  const parts: EncodedTensor[] = []
  for (let first = 0; first < filters; first += filtersEach) {
    const part = cutFilters(tensor, first, Math.min(filters, first + filtersEach))
    parts.push(encodeTensor(part, name, profile))
  }
  return { filtersEach, parts }
}

function estimateBytes(tensor: PackedTensor): number {
  if (tensor.kind === 'ternary') return entropyBits(tensor.assignment) / 8
  switch (tensor.storage) {
    case 'f32':
      return 4 * tensor.data.length
    case 'f16':
      return 2 * tensor.data.length
    case 'i8':
      return tensor.data.length
    case 'terms':
      return tensor.terms.reduce((sum, term) => sum + estimateBytes(term), 0)
    default:
      return tensor satisfies never
  }
}

function cutFilters(tensor: PackedTensor, first: number, end: number): PackedTensor {
  const [filters = 1, ...rest] = tensor.shape
  const shape = [end - first, ...rest]
  const cut = <Numbers extends Int8Array | Float32Array>(values: Numbers): Numbers => {
    const each = values.length / filters
    return values.subarray(first * each, end * each) as Numbers
  }
  if (tensor.kind === 'ternary') return cutTernary(tensor, shape, cut, first, end)
  switch (tensor.storage) {
    case 'f32':
    case 'f16':
      return { ...tensor, shape, data: cut(tensor.data) }
    case 'i8':
      return { ...tensor, shape, data: cut(tensor.data), codes: cut(tensor.codes), scale: cut(tensor.scale) }
    case 'terms':
      return sumOf(tensor.terms.map(term => cutTernary(term, shape, cut, first, end))) as TermsTensor
    default:
      return tensor satisfies never
  }
}

function cutTernary(
  { assignment, positive, negative, factors }: TernaryTensor,
  shape: readonly number[],
  cut: <Numbers extends Int8Array | Float32Array>(values: Numbers) => Numbers,
  first: number,
  end: number,
): TernaryTensor {
  const base = { kind: 'ternary', shape, assignment: cut(assignment) } as const
  if (factors !== undefined)
    return { ...base, ...applyFactors({ ...factors, scale: factors.scale.subarray(first, end) }) }
  const some = (values: Float32Array) => (values.length === 1 ? values : values.subarray(first, end))
  return { ...base, positive: some(positive), negative: some(negative) }
}
