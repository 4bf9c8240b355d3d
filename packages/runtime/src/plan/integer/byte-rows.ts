/**
 * Fully connected ternary layers on bytes: how large everything is and what it costs.
 *
 * A layer of K inputs and O outputs runs in two or three calls on memory that the planner gave it: by lookup, tables and
 * then sums, or by lists, sums; then sums to numbers or bytes. All parts begin at multiples of 16. The input may be read
 * up to three bytes beyond its end, and up to three outputs are written beyond theirs.
 */

/** Inputs one lookup table covers. */
export const lookupGroup = 4
/** Outputs of one vector of lookups. */
export const lookupOutputs = 16
/** What the record of four outputs takes: five vectors. */
export const byteRowRecord = 80

/** Whether sums of four inputs up to `max` need more than a byte. */
export const isWideLookup = (max: number): boolean => lookupGroup * max > 0xff

export const lookupTableBytes = (max: number): number => (isWideLookup(max) ? 32 : 16)

export type ByteRowsKernel = 'byte-lookup' | 'byte-gather'

export interface ByteRowsShape {
  readonly inputs: number
  readonly outputs: number
  readonly nonZeros: number
  /** The input's largest byte. */
  readonly max: number
}

export interface ByteRowsSizes {
  readonly weightBytes: number
  readonly recordBytes: number
  /** The lookup tables; none for lists. */
  readonly tableBytes: number
  /** The sums of +1 of all outputs, then those of −1, each part `minusStep` long. */
  readonly sumBytes: number
  readonly minusStep: number
  /** All four parts, one after the other in this order. */
  readonly bytes: number
}

const roundUp = (size: number, multiple: number): number => Math.ceil(size / multiple) * multiple

export function byteRowsSizes(
  kernel: ByteRowsKernel,
  { inputs, outputs, nonZeros, max }: ByteRowsShape,
): ByteRowsSizes {
  const groups = Math.ceil(inputs / lookupGroup)
  const padded = roundUp(outputs, lookupOutputs)
  const byLookup = kernel === 'byte-lookup'
  const weightBytes = byLookup ? padded * groups : roundUp(8 * outputs + 2 * nonZeros, 16)
  const recordBytes = (roundUp(outputs, 4) / 4) * byteRowRecord
  const tableBytes = byLookup ? groups * lookupTableBytes(max) : 0
  const sumBytes = 8 * padded
  const bytes = weightBytes + recordBytes + tableBytes + sumBytes
  return { weightBytes, recordBytes, tableBytes, sumBytes, minusStep: 4 * padded, bytes }
}

/** Offsets of the lists have 16 bits. */
const maxListInputs = 1 << 16

/** Nanoseconds on an x86-64 core at about 3.7 GHz, V8; for comparing the two kernels, not for promises. */
export function byteRowsCost(
  kernel: ByteRowsKernel,
  { inputs, outputs, nonZeros, max }: ByteRowsShape,
): number {
  if (kernel === 'byte-gather') {
    return inputs > maxListInputs
      ? Number.POSITIVE_INFINITY
      : gatherNs.entry * nonZeros + gatherNs.output * outputs
  }
  const groups = Math.ceil(inputs / lookupGroup)
  const lookups = groups * Math.ceil(outputs / lookupOutputs)
  const costs = isWideLookup(max) ? lookupNs.wide : lookupNs.narrow
  return costs.table * groups + costs.lookup * lookups + lookupNs.block * Math.ceil(outputs / lookupOutputs)
}

/** The faster of the two kernels. */
export const cheaperRows = (shape: ByteRowsShape): ByteRowsKernel =>
  byteRowsCost('byte-gather', shape) < byteRowsCost('byte-lookup', shape) ? 'byte-gather' : 'byte-lookup'

const gatherNs = { entry: 0.25, output: 4 }
const lookupNs = {
  narrow: { table: 4, lookup: 1 },
  wide: { table: 5, lookup: 1.6 },
  block: 10,
}
