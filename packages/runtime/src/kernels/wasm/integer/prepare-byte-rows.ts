/** Writes the weights of fully connected ternary layers on bytes; `plan/integer/byte-rows.ts` says how long they are. */
import { byteRowRecord, lookupGroup, lookupOutputs } from '../../../plan/integer/byte-rows.ts'
import type { ByteMatrixLayer } from '../../../plan/integer/byte-step.ts'

const roundUp = (size: number, multiple: number): number => Math.ceil(size / multiple) * multiple

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
export function writeGatherLists(
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
