/** What one ternary tensor would take in other formats. */
import type { TernaryTensor } from 'sterna-runtime'
import type { Shape } from '../core/index.ts'
import { type EncodedTensor, encodeTensor, type Profile } from './encode-tensor.ts'
import { entropyBits } from './entropy.ts'
import { storedAssignment } from './stored-assignment.ts'

/** A general compressor, e.g. gzip of `node:zlib`; given one byte a weight, −1, 0 or +1. */
export type Compressor = (bytes: Uint8Array) => number

export interface CodingSize {
  readonly name: string
  /** Of the assignment; magnitudes are left out except where the format counts a value for each weight. */
  readonly bytes: number
}

export interface CodingComparison {
  readonly weights: number
  readonly zeros: number
  /** The weights' order-0 entropy: what no code without context goes below. */
  readonly entropyBytes: number
  /** Sterna's profiles without magnitudes, then the other formats, then the compressors. */
  readonly codings: readonly CodingSize[]
}

const profiles = ['plain', 'fast', 'small', 'max'] as const satisfies readonly Profile[]

/**
 * Sizes of the assignment of `tensor`, as a file stores it, in every coding. CSR and CER count as EC2T does (Marban
 * et al. 2020): CSR 16-bit values and columns, 1 bit of sign folded into the value, 16-bit row pointers; CER 16-bit
 * columns in order of value and two 16-bit pointers a row; CSER (Wiedemann et al. 2018), which leaves out the values that
 * a row lacks, a 16-bit pointer and a bit for the value of each group of columns and a 16-bit pointer a row; each 32 bits
 * for the two magnitudes.
 */
export function compareCodings(
  tensor: TernaryTensor,
  compressors: Readonly<Record<string, Compressor>> = {},
): CodingComparison {
  const { shape } = tensor
  const assignment = storedAssignment(tensor)
  const weights = assignment.length
  const zeros = assignment.reduce((count, level) => count + (level === 0 ? 1 : 0), 0)
  const nonZeros = weights - zeros
  const rows = shape[0] ?? 1
  const bits: readonly (readonly [name: string, bits: number])[] = [
    ['2-bit', 2 * weights],
    ['TQ1_0', 1.6875 * 256 * Math.ceil(weights / 256)],
    ['mask + sign', weights + nonZeros],
    ['CSR', 17 * nonZeros + 16 * (rows + 1) + 32],
    ['CER', 16 * nonZeros + 32 * (rows + 1) + 32],
    ['CSER', 16 * nonZeros + 17 * countGroups(assignment, rows) + 16 * (rows + 1) + 32],
  ]
  const levels = new Uint8Array(assignment.buffer, assignment.byteOffset, weights)
  return {
    weights,
    zeros,
    entropyBytes: entropyBits(assignment) / 8,
    codings: [
      ...profiles.map(profile => ({ name: profile, bytes: assignmentBytes(shape, assignment, profile) })),
      ...bits.map(([name, count]) => ({ name, bytes: Math.ceil(count / 8) })),
      ...Object.entries(compressors).map(([name, compress]) => ({ name, bytes: compress(levels) })),
    ],
  }
}

/** How many of a row's two values occur, over all rows. */
function countGroups(assignment: Int8Array, rows: number): number {
  const perRow = assignment.length / rows
  let groups = 0
  for (let start = 0; start < assignment.length; start += perRow) {
    const row = assignment.subarray(start, start + perRow)
    groups += (row.includes(1) ? 1 : 0) + (row.includes(-1) ? 1 : 0)
  }
  return groups
}

/** The payload with two magnitudes of 16 bits for the tensor, without those. */
function assignmentBytes(shape: Shape, assignment: Int8Array, profile: Profile): number {
  const one = Float32Array.of(1)
  const bare: TernaryTensor = { kind: 'ternary', shape, assignment, positive: one, negative: one }
  const encoded: EncodedTensor = encodeTensor(bare, 'weights', profile)
  return encoded.payload.length - 4
}
