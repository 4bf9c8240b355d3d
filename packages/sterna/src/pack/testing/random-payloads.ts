/** One random tensor in every ternary coding. */
import { fastCodec, maxCodec, smallCodec, type TensorShape } from 'sterna-runtime/format'
import type { Random } from '../../core/index.ts'
import { encodeContexts, encodeTuned } from '../encode-coded.ts'
import { encodeFast } from '../encode-fast.ts'
import { type EncodedTensor, encodeTensor } from '../encode-tensor.ts'

export interface RandomPayloads {
  readonly shape: TensorShape
  readonly assignment: Int8Array
  /** Of the scaled payloads, one for each filter: where it is negative, a decoder turns the signs. */
  readonly scale: readonly number[]
  /** Without scales. */
  readonly plain: readonly EncodedTensor[]
  readonly scaled: readonly EncodedTensor[]
  /** The first of its terms is the assignment, the second its negation where that is not zero by chance. */
  readonly sum: EncodedTensor
}

export function randomPayloads(random: Random, round: number): RandomPayloads {
  const dims = Array.from({ length: random.below(5) }, () => 1 + random.below(8))
  const elements = dims.reduce((product, size) => product * size, 1)
  const shape = { dims, elements, filters: dims[0] ?? 1 }
  const zeros = random.below(3) === 0 ? 0 : random.uniform()
  const assignment = Int8Array.from({ length: elements }, () =>
    random.uniform() < zeros ? 0 : random.below(2) * 2 - 1,
  )
  const scale = Array.from({ length: shape.filters }, () => [1, -0.5][random.below(2)]!)
  const halves = scale.map(value => (value > 0 ? 0x3c00 : 0xb800))
  const stored = {
    shape,
    layout: 'scaled' as const,
    magnitudes: Uint16Array.of(0x3c00, 0x3800, ...halves),
    assignment,
  }
  const order = { channelsFirst: random.below(3) === 0, columnsFirst: random.below(3) === 0 }
  const one = Float32Array.of(1)
  const plain = { kind: 'ternary', shape: dims, assignment, positive: one, negative: one } as const
  const set = (['plane', 'kernel', 'matrix'] as const)[round % 3]!
  const isMixed = round % 5 === 0
  const second = assignment.map(level => (random.below(4) === 0 ? -level : 0))
  return {
    shape,
    assignment,
    scale,
    plain: [encodeTensor(plain, 'w', 'plain'), encodeTensor(plain, 'w', 'small')],
    scaled: [
      { codec: smallCodec, payload: encodeContexts(stored, 4, false) },
      { codec: maxCodec, payload: encodeContexts(stored, 4, true) },
      { codec: fastCodec, payload: encodeFast(stored) },
      encodeTuned(stored, { set, order }, isMixed),
    ],
    sum: encodeTuned(
      { ...stored, magnitudes: Uint16Array.of(0x3c00, 0x3800, 0x3400, 0x3000, ...halves), further: [second] },
      { set, order },
      isMixed,
    ),
  }
}
