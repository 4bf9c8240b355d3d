/** The encoding half of the runtime's range-coded tensors. */
import {
  ByteModel,
  codeAssignment,
  geometryOf,
  HalfModel,
  type MagnitudeLayout,
  magnitudeLayouts,
  memoryLimits,
  shortestString,
  smallFlags,
  type TensorShape,
  type TernaryModel,
} from 'sterna-runtime/format'
import { ByteWriter } from './byte-writer.ts'
import { entropyBits } from './entropy.ts'
import { RangeEncoder } from './range-encoder.ts'

/** A ternary tensor as it lies in a file. */
export interface StoredTernary {
  readonly shape: TensorShape
  readonly layout: MagnitudeLayout
  /** Magnitudes and scales as binary16, in the order of the layout. */
  readonly magnitudes: Uint16Array
  /** Signs already turned where the layout says so. */
  readonly assignment: Int8Array
}

/** The memory that suits most layers, and what `max` tries besides. */
const usualMemory = 4
const otherMemories = [3, 5] as const

/** The payload of the `small` codec: contexts, or fixed probabilities where those are shorter. */
export function encodeSmall(tensor: StoredTernary): Uint8Array {
  return shorter(encodeContexts(tensor, usualMemory, false), tensor)
}

/** The payload of the `max` codec, of the memory that suits best. */
export function encodeMax(tensor: StoredTernary): Uint8Array {
  let best = encodeContexts(tensor, usualMemory, true)
  for (const selector of otherMemories) {
    const other = encodeContexts(tensor, selector, true)
    if (other.length < best.length) best = other
  }
  return shorter(best, tensor)
}

/** Fixed probabilities come to the entropy and a few bytes more: only then are they worth a trial. */
function shorter(contexts: Uint8Array, tensor: StoredTernary): Uint8Array {
  if (contexts.length < entropyBits(tensor.assignment) / 8) return contexts
  const fixed = encodeFixed(tensor)
  return fixed.length < contexts.length ? fixed : contexts
}

/** With the memory that `selector` names; `mixed` as in `max`. */
export function encodeContexts(tensor: StoredTernary, selector: number, mixed: boolean): Uint8Array {
  const { shape, assignment } = tensor
  const geometry = geometryOf(shape)
  const { nonZeros, negatives } = countLevels(assignment)
  const dead = findDead(assignment, geometry)
  const model: TernaryModel = {
    density: byteProbability(nonZeros, assignment.length),
    negative: byteProbability(negatives, nonZeros),
    memory: memoryLimits[selector]!,
    mixed,
    ...dead,
  }
  const out = new ByteWriter()
  out.u8(
    magnitudeLayouts.indexOf(tensor.layout) |
      (dead.deadFilters ? smallFlags.deadFilters : 0) |
      (dead.deadChannels ? smallFlags.deadChannels : 0) |
      (selector << smallFlags.memoryShift),
  )
  out.u8(model.density)
  out.u8(model.negative)
  const coder = startString(tensor)
  codeAssignment(coder, assignment, geometry, model)
  out.bytes(coder.finish(shortestString(shape)))
  return out.finish()
}

function encodeFixed(tensor: StoredTernary): Uint8Array {
  const { assignment } = tensor
  const { nonZeros, negatives } = countLevels(assignment)
  const isNonZero = wordProbability(nonZeros, assignment.length)
  const isNegative = wordProbability(negatives, nonZeros)
  const out = new ByteWriter()
  out.u8(magnitudeLayouts.indexOf(tensor.layout) | smallFlags.fixed)
  out.u16(isNonZero)
  out.u16(isNegative)
  const coder = startString(tensor)
  for (const level of assignment) {
    if (coder.code(isNonZero, level & 1) !== 0) coder.code(isNegative, level < 0 ? 1 : 0)
  }
  out.bytes(coder.finish(shortestString(tensor.shape)))
  return out.finish()
}

export function encodeHalves(shape: TensorShape, bits: Uint16Array): Uint8Array {
  const coder = new RangeEncoder()
  codeHalves(coder, bits)
  return coder.finish(shortestString(shape))
}

export function encodeInt8(shape: TensorShape, scale: Uint16Array, codes: Int8Array): Uint8Array {
  const coder = new RangeEncoder()
  codeHalves(coder, scale)
  const bytes = new ByteModel()
  for (const code of codes) bytes.code(coder, code + 128)
  return coder.finish(shortestString(shape))
}

function startString({ magnitudes }: StoredTernary): RangeEncoder {
  const coder = new RangeEncoder()
  codeHalves(coder, magnitudes)
  return coder
}

function codeHalves(coder: RangeEncoder, bits: Uint16Array): void {
  const model = new HalfModel()
  for (const value of bits) model.code(coder, value)
}

function countLevels(assignment: Int8Array): { readonly nonZeros: number; readonly negatives: number } {
  let nonZeros = 0
  let negatives = 0
  for (const level of assignment) {
    if (level !== 0) nonZeros++
    if (level < 0) negatives++
  }
  return { nonZeros, negatives }
}

function byteProbability(count: number, of: number): number {
  return Math.max(1, Math.min(255, Math.round((256 * count) / Math.max(1, of))))
}

function wordProbability(count: number, of: number): number {
  return Math.max(1, Math.min(65_535, Math.round((65_536 * count) / Math.max(1, of))))
}

/** Whether any filter, any channel has only zeros. */
function findDead(
  assignment: Int8Array,
  { filters, channels, rows, columns }: ReturnType<typeof geometryOf>,
): { readonly deadFilters: boolean; readonly deadChannels: boolean } {
  const kernel = rows * columns
  const liveFilters = new Uint8Array(filters)
  const liveChannels = new Uint8Array(channels)
  for (let index = 0, start = 0; start < assignment.length; index++, start += kernel) {
    for (let place = start; place < start + kernel; place++) {
      if (assignment[place] === 0) continue
      liveFilters[Math.floor(index / channels)] = 1
      liveChannels[index % channels] = 1
      break
    }
  }
  return { deadFilters: liveFilters.includes(0), deadChannels: liveChannels.includes(0) }
}
