/**
 * Fully connected ternary layers on bytes: how large everything is, what it costs, and the bytes the kernels read.
 *
 * A layer of K inputs and O outputs runs in two or three calls on memory that the planner gave it:
 *
 * - by lookup: `emitLookupTables` → tables, `emitLookup` → sums; or by lists: `emitByteGather` → sums;
 * - `emitByteRows`: sums → numbers or bytes.
 *
 * `byteRowsSizes` says how many bytes of weights, records and scratch (tables and sums) that takes; all begin at
 * multiples of 16. The input may be read up to three bytes beyond its end, and up to three outputs are written beyond
 * theirs. Input bytes are at most `max` ≤ 255.
 */
import type { ByteMatrixLayer } from '../../reference/integer.ts'
import { byteRowRecord } from './byte-rows.ts'
import { isWideLookup, lookupGroup, lookupOutputs, lookupTableBytes } from './lookup.ts'

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
}

const roundUp = (size: number, multiple: number): number => Math.ceil(size / multiple) * multiple

export function byteRowsSizes(
  kernel: ByteRowsKernel,
  { inputs, outputs, nonZeros, max }: ByteRowsShape,
): ByteRowsSizes {
  const groups = Math.ceil(inputs / lookupGroup)
  const padded = roundUp(outputs, lookupOutputs)
  const byLookup = kernel === 'byte-lookup'
  return {
    weightBytes: byLookup ? padded * groups : roundUp(8 * outputs + 2 * nonZeros, 16),
    recordBytes: (roundUp(outputs, 4) / 4) * byteRowRecord,
    tableBytes: byLookup ? groups * lookupTableBytes(max) : 0,
    sumBytes: 8 * padded,
    minusStep: 4 * padded,
  }
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

const gatherNs = { entry: 0.25, output: 4 }
const lookupNs = {
  narrow: { table: 4, lookup: 1 },
  wide: { table: 5, lookup: 1.6 },
  block: 10,
}

/** Two nibbles for every four inputs of an output: the subset under +1, above it that under −1. */
export function writeLookupWeights(
  buffer: ArrayBuffer,
  address: number,
  { assignment }: ByteMatrixLayer,
  inputs: number,
): void {
  const outputs = assignment.length / inputs
  const groups = Math.ceil(inputs / lookupGroup)
  const bytes = new Uint8Array(buffer, address, roundUp(outputs, lookupOutputs) * groups)
  bytes.fill(0)
  for (let o = 0; o < outputs; o++) {
    const inBlock = o % lookupOutputs
    // The lower bytes of eight pairs hold outputs 0 to 7, the upper ones 8 to 15.
    const place = inBlock < 8 ? 2 * inBlock : 2 * (inBlock - 8) + 1
    const start = (o - inBlock) * groups + place
    for (let k = 0; k < inputs; k++) {
      const sign = assignment[o * inputs + k]!
      if (sign === 0) continue
      const bit = (k % lookupGroup) + (sign > 0 ? 0 : lookupGroup)
      bytes[start + Math.floor(k / lookupGroup) * lookupOutputs]! |= 1 << bit
    }
  }
}

/** For every output the ends of its two lists; after all of those, the lists. Returns where they begin. */
export function writeByteLists(
  buffer: ArrayBuffer,
  address: number,
  { assignment }: ByteMatrixLayer,
  inputs: number,
): { readonly recordsEnd: number } {
  const outputs = assignment.length / inputs
  const view = new DataView(buffer)
  const recordsEnd = address + 8 * outputs
  let entry = recordsEnd
  for (let o = 0; o < outputs; o++) {
    for (const [field, sign] of [1, -1].entries()) {
      for (let k = 0; k < inputs; k++) {
        if (assignment[o * inputs + k] !== sign) continue
        view.setUint16(entry, k, true)
        entry += 2
      }
      view.setUint32(address + 8 * o + 4 * field, entry, true)
    }
  }
  return { recordsEnd }
}

/** What `emitByteRows` reads of each output. */
export function writeByteRowRecords(
  buffer: ArrayBuffer,
  address: number,
  { assignment, plus, minus, bias, inputZero }: ByteMatrixLayer,
  inputs: number,
): void {
  const view = new DataView(buffer)
  const outputs = assignment.length / inputs
  for (let o = 0; o < outputs; o++) {
    const counts = [0, 0]
    for (const sign of assignment.subarray(o * inputs, (o + 1) * inputs)) {
      if (sign > 0) counts[0]!++
      else if (sign < 0) counts[1]!++
    }
    const start = address + Math.floor(o / 4) * byteRowRecord + 4 * (o % 4)
    for (const [sign, count] of counts.entries()) view.setInt32(start + 16 * sign, inputZero * count, true)
    view.setFloat32(start + 32, plus[o % plus.length]!, true)
    view.setFloat32(start + 48, minus[o % minus.length]!, true)
    view.setFloat32(start + 64, bias?.[o] ?? 0, true)
  }
}
