/** The levels of ternary layers as strings of four rANS states, filter by filter in whole rounds. */
import type { TernaryRegion } from 'sterna-runtime/compile'
import { fastLanes } from 'sterna-runtime/format'
import { encodeStates } from '../../pack/index.ts'

/** Weights of a matrix that share contexts as if they were a row. */
const matrixColumns = 8

export interface CodedRegion {
  readonly region: TernaryRegion
  readonly rows: number
  readonly columns: number
  /** Rounds of four blocks that hold a filter, and the levels they give. */
  readonly rounds: number
  readonly filterBytes: number
  /** Of the string, in all strings. */
  readonly offset: number
  readonly length: number
}

export interface CodedRegions {
  readonly regions: readonly CodedRegion[]
  /** All strings, one after the other. */
  readonly strings: Uint8Array
}

export function codeRegions(regions: readonly TernaryRegion[]): CodedRegions {
  const strings: Uint8Array[] = []
  let offset = 0
  const coded = regions.map((region): CodedRegion => {
    const { levels, filters, depth, kernel } = region
    const [rows, columns] = kernel[0] * kernel[1] > 1 ? kernel : [1, matrixColumns]
    const round = fastLanes * rows * columns
    const rounds = Math.ceil(depth / round)
    const filterBytes = rounds * round
    const padded = new Int8Array(filters * filterBytes)
    for (let o = 0; o < filters; o++) padded.set(levels.subarray(o * depth, (o + 1) * depth), o * filterBytes)
    const string = encodeStates(padded, rows, columns, false)
    strings.push(string)
    offset += string.length
    return {
      region,
      rows,
      columns,
      rounds,
      filterBytes,
      offset: offset - string.length,
      length: string.length,
    }
  })
  const all = new Uint8Array(offset)
  for (const [i, { offset }] of coded.entries()) all.set(strings[i]!, offset)
  return { regions: coded, strings: all }
}
