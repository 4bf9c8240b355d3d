/** Ternary weights, or a sum of several ternary terms, in the order and the contexts that suit the tensor. */
import type { PackedTensor, TernaryTensor } from '../tensors.ts'
import { ListSink } from '../ternary-lists.ts'
import { memoryLimits } from './adaptive-bits.ts'
import type { WeightCodec } from './codec.ts'
import { readProbability, shortestString } from './coded.ts'
import { contextSets } from './contexts.ts'
import { decodeAssignment, decodeHalves } from './decode.ts'
import { RangeDecoder } from './range-decoder.ts'
import { createTarget, magnitudeLayouts, readMagnitudes, ternaryTensor } from './ternary.ts'
import { geometryOf, type ScanOrder } from './ternary-model.ts'

/** The first byte: the magnitude layout, these, and the context set from `setShift` on. */
export const tunedFlags = {
  deadFilters: 4,
  deadChannels: 8,
  setShift: 4,
  channelsFirst: 64,
  columnsFirst: 128,
} as const
/** In the second byte, beside the number of terms less one. */
export const tunedMixed = 4
export const mostTerms = 4
export const tunedMemory: number = memoryLimits[4]

export const tunedCodec: WeightCodec = {
  id: 11,
  name: 'tuned',
  coded: true,
  minimumBytes: shape => 4 + shortestString(shape),
  decode(reader, shape, { listed = false, plain } = {}) {
    const start = reader.offset
    const flags = reader.u8()
    const modes = reader.u8()
    const layout = magnitudeLayouts[flags & 3]
    const set = contextSets[(flags >> tunedFlags.setShift) & 3]
    if (layout === undefined || set === undefined || modes > 7) {
      throw reader.failure(
        'file/unsupported',
        `coding ${flags}, ${modes} of ternary weights is not known`,
        start,
      )
    }
    const terms = (modes & 3) + 1
    const probabilities = Array.from(
      { length: terms },
      () => [readProbability(reader), readProbability(reader)] as const,
    )
    const geometry = geometryOf(shape)
    const order: ScanOrder = {
      channelsFirst: (flags & tunedFlags.channelsFirst) !== 0,
      columnsFirst: (flags & tunedFlags.columnsFirst) !== 0,
    }
    const bytes = reader.take(reader.remaining)
    const shortest = shortestString(shape, terms)
    if (bytes.length < shortest) {
      throw reader.failure('file/damaged', `expected at least ${shortest} coded bytes, found ${bytes.length}`)
    }
    const coder = new RangeDecoder(bytes)
    const magnitudes = readMagnitudes(
      reader,
      shape,
      layout,
      count => decodeHalves(coder, count, plain),
      terms,
    )
    let below: Int8Array | undefined
    const decoded = magnitudes.map((magnitude, term): TernaryTensor => {
      const [density, negative] = probabilities[term]!
      const target = createTarget(shape, magnitude, listed && terms === 1)
      decodeAssignment(
        coder,
        target,
        {
          geometry,
          order,
          model: {
            density,
            negative,
            memory: tunedMemory,
            set,
            mixed: (modes & tunedMixed) !== 0,
            deadFilters: (flags & tunedFlags.deadFilters) !== 0,
            deadChannels: (flags & tunedFlags.deadChannels) !== 0,
          },
          below,
        },
        plain,
      )
      if (terms > 1 && !(target instanceof ListSink)) below = target.slice()
      return ternaryTensor(shape, target, magnitude)
    })
    coder.expectEnd(reader, shortest)
    return sumOf(decoded)
  },
}

/** One term is a ternary tensor; the weights of several are added up in order. */
export function sumOf(terms: readonly TernaryTensor[]): PackedTensor {
  const [first] = terms
  if (terms.length === 1) return first!
  const { shape, assignment } = first!
  const data = new Float32Array(assignment.length)
  const perFilter = data.length / (shape[0] ?? 1)
  for (const { assignment: levels, positive, negative } of terms) {
    for (let index = 0; index < data.length; index++) {
      const level = levels[index]!
      if (level === 0) continue
      const magnitudes = level > 0 ? positive : negative
      data[index]! += level * magnitudes[magnitudes.length === 1 ? 0 : Math.floor(index / perFilter)]!
    }
  }
  return { kind: 'dense', shape, storage: 'terms', data, terms }
}
