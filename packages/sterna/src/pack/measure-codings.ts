/** How small each profile makes ternary layers, and how fast it writes and reads them. */
import type { TernaryTensor } from 'sterna-runtime'
import { ByteReader } from 'sterna-runtime/format'
import { SternaError } from '../core/index.ts'
import { encodeTensor, type Profile } from './encode-tensor.ts'
import { entropyBits } from './entropy.ts'

export interface CodingSpeed {
  readonly profile: Profile
  /** Payloads with one pair of magnitudes a tensor, without those. */
  readonly bytes: number
  /** Over the order-0 entropy of each tensor. */
  readonly ratio: number
  readonly encodedPerSecond: number
  readonly decodedPerSecond: number
}

export interface CodingMeasurement {
  readonly weights: number
  readonly entropyBytes: number
  /** Weights a second that are copied, one byte each, from one array to another in the same pieces. */
  readonly copiedPerSecond: number
  readonly profiles: readonly CodingSpeed[]
}

const profiles = ['plain', 'fast', 'small', 'max'] as const satisfies readonly Profile[]

/**
 * Encodes and decodes `tensors` in each profile for about `milliseconds` each; rates are those of the fastest pass,
 * as whatever else a machine does only makes passes slower. Checks that what is decoded is what was encoded.
 */
export function measureCodings(tensors: readonly TernaryTensor[], milliseconds: number): CodingMeasurement {
  const one = Float32Array.of(1)
  const bare = tensors.map(
    ({ shape, assignment }): TernaryTensor => ({
      kind: 'ternary',
      shape,
      assignment,
      positive: one,
      negative: one,
    }),
  )
  const weights = bare.reduce((sum, tensor) => sum + tensor.assignment.length, 0)
  const entropyBytes = bare.reduce((sum, tensor) => sum + entropyBits(tensor.assignment) / 8, 0)
  const copies = bare.map(tensor => new Int8Array(tensor.assignment.length))
  const perSecond = (run: () => void) => (weights / fastestMs(run, milliseconds)) * 1000
  return {
    weights,
    entropyBytes,
    copiedPerSecond: perSecond(() => {
      for (const [index, copy] of copies.entries()) copy.set(bare[index]!.assignment)
    }),
    profiles: profiles.map(profile => {
      const encode = () => bare.map(tensor => encodeTensor(tensor, 'weights', profile))
      const encoded = encode()
      const decode = () =>
        encoded.map(({ codec, payload }, index) => {
          const { shape, assignment } = bare[index]!
          const elements = assignment.length
          const reader = new ByteReader(payload, 0, payload.length, 'payload')
          return codec.decode(reader, { dims: shape, elements, filters: shape[0] ?? 1 })
        })
      for (const [index, tensor] of decode().entries()) {
        const { assignment } = bare[index]!
        if (tensor.kind !== 'ternary' || !tensor.assignment.every((level, at) => level === assignment[at])) {
          throw new SternaError('internal', `${profile}: tensor ${index} is not decoded as it was encoded`)
        }
      }
      const bytes = encoded.reduce((sum, { payload }) => sum + payload.length - 4, 0)
      return {
        profile,
        bytes,
        ratio: bytes / entropyBytes,
        encodedPerSecond: perSecond(encode),
        decodedPerSecond: perSecond(decode),
      }
    }),
  }
}

function fastestMs(run: () => void, milliseconds: number): number {
  const endMs = performance.now() + milliseconds
  let fastest = Number.POSITIVE_INFINITY
  do {
    const startedMs = performance.now()
    run()
    fastest = Math.min(fastest, performance.now() - startedMs)
  } while (performance.now() < endMs)
  return fastest
}
