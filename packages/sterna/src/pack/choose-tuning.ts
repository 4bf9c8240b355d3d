/** Chooses contexts and order for a ternary tensor: by what each would come to on a part of it. */
import { type ContextSet, geometryOf, type ScanOrder } from 'sterna-runtime/format'
import { codeTerms, type StoredTernary } from './encode-coded.ts'
import { RangeEncoder } from './range-encoder.ts'

export interface Tuning {
  readonly set: ContextSet
  readonly order: ScanOrder
}

/** What the codecs `small` and `max` use. */
export const naturalTuning: Tuning = {
  set: 'plane',
  order: { channelsFirst: false, columnsFirst: false },
}

/** What a trial looks at, in whole filters from the first on: this many weights, or this share of all. */
const trialWeights = 1 << 13
const trialShare = 1 / 8
/** Less than the byte that `tuned` has more in front is no gain. */
const leastGain = 8

/**
 * The tuning that codes the tensor's first eighth, or at least 8 thousand weights of it, in the fewest bits.
 * @param mixed where contexts are mixed, the set is not read: only orders are tried, in one set
 */
export function chooseTuning(tensor: StoredTernary, mixed: boolean): Tuning {
  const part = firstFilters(tensor)
  const { filters, channels, rows, columns } = geometryOf(part.shape)
  const other = { ...naturalTuning, set: rows * columns === 1 ? 'matrix' : 'kernel' } as const
  let best: Tuning = mixed ? other : naturalTuning
  let leastBits = countBits(part, best)
  const attempt = (tuning: Tuning): void => {
    const bits = countBits(part, tuning)
    if (bits > leastBits - leastGain) return
    best = tuning
    leastBits = bits
  }
  if (!mixed) attempt(other)
  if (filters > 1 && channels > 1) attempt({ ...best, order: { ...best.order, channelsFirst: true } })
  if (rows > 1 && columns > 1) attempt({ ...best, order: { ...best.order, columnsFirst: true } })
  return best
}

function firstFilters(tensor: StoredTernary): StoredTernary {
  const { dims, elements, filters } = tensor.shape
  const perFilter = elements / filters
  const weights = Math.max(trialWeights, trialShare * elements)
  const count = Math.max(1, Math.min(filters, Math.floor(weights / perFilter)))
  const end = count * perFilter
  const cut = (levels: Int8Array) => levels.subarray(0, end)
  return {
    ...tensor,
    shape: { dims: dims.map((size, axis) => (axis === 0 ? count : size)), elements: end, filters: count },
    assignment: cut(tensor.assignment),
    ...(tensor.further && { further: tensor.further.map(cut) }),
  }
}

function countBits(tensor: StoredTernary, tuning: Tuning): number {
  const coder = new RangeEncoder()
  codeTerms(coder, tensor, tuning, false)
  return 8 * coder.finish(0).length
}
