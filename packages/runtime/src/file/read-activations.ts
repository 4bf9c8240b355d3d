/** The activations section: how values are held as bytes in integer arithmetic. Optional. */
import { ByteReader } from '../byte-reader.ts'
import { activationProblem } from './activation-range.ts'
import type { Section } from './container.ts'
import type { ActivationRange } from './types.ts'

/** `names` are those of all values, by number. */
export function readActivations(
  bytes: Uint8Array,
  section: Section | undefined,
  names: readonly string[],
  tensors: ReadonlySet<string>,
): ReadonlyMap<string, ActivationRange> | undefined {
  if (section === undefined) return undefined
  const reader = new ByteReader(bytes, section.start, section.end, 'activations section')
  const count = reader.count('number of ranges', 1, names.length)
  const ranges = new Map<string, ActivationRange>()
  let last = -1
  for (let index = 0; index < count; index++) {
    const start = reader.offset
    const value = reader.varint()
    const name = names[value]
    if (value <= last || name === undefined || tensors.has(name)) {
      throw reader.failure(
        'file/damaged',
        `range ${index}: expected an input or a node's value after ${last}, found ${value}`,
        start,
      )
    }
    const range = { scale: reader.f32(), zero: reader.u8(), max: reader.u8() }
    const problem = activationProblem(range)
    if (problem !== undefined) throw reader.failure('file/damaged', `value "${name}": ${problem}`, start)
    ranges.set(name, range)
    last = value
  }
  reader.expectEnd()
  return ranges
}
