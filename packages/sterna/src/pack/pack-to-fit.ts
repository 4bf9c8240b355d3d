/** Packs a network into a given number of bytes, at the smallest change to what it computes. */
import { SternaError } from '../core/index.ts'
import type { Model } from '../graph/index.ts'
import type { TernaryWeight } from '../ternary/types.ts'
import { type PackedNetwork, type PackOptions, packModel } from './pack.ts'

/** How a network may be stored, from what costs least to what is smallest: time first, accuracy only then. */
const ladder = [
  { dense: 'f16', profile: 'small', sortChannels: false },
  { dense: 'f16', profile: 'small', sortChannels: true },
  { dense: 'f16', profile: 'max', sortChannels: true },
  { dense: 'i8', profile: 'small', sortChannels: true },
  { dense: 'i8', profile: 'max', sortChannels: true },
] as const satisfies readonly PackStorage[]

/** What of `PackOptions` decides about size. */
export type PackStorage = Required<Pick<PackOptions, 'dense' | 'profile' | 'sortChannels'>>

export type PackedToFit = PackedNetwork & PackStorage

/**
 * The first of these that takes at most `targetBytes`: profile `small`, the same with sorted channels, profile `max`,
 * then both with the layers that are not ternary in 8 instead of 16 bits. Errors: 'usage/option' where none does, with the smallest size reached.
 */
export function packToFit(
  model: Model,
  ternary: ReadonlyMap<string, TernaryWeight>,
  facts: Pick<PackOptions, 'metadata' | 'preview' | 'activations'>,
  targetBytes: number,
): PackedToFit {
  let smallest = Number.POSITIVE_INFINITY
  for (const storage of ladder) {
    const packed = packModel(model, ternary, { ...storage, ...facts })
    if (packed.bytes.length <= targetBytes) return { ...packed, ...storage }
    smallest = Math.min(smallest, packed.bytes.length)
  }
  throw new SternaError(
    'usage/option',
    `the network does not fit ${targetBytes} bytes: the smallest that it packs to is ${smallest} bytes`,
    {
      hint: 'train it with more zeros (for EC2T a larger entropyWeight), or make more of its layers ternary',
      detail: { targetBytes, smallestBytes: smallest },
    },
  )
}
