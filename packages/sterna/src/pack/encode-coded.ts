/** The encoding half of the runtime's range-coded tensors. */
import {
  type BitCoder,
  ByteModel,
  codeAssignment,
  contextSets,
  type Geometry,
  geometryOf,
  HalfModel,
  type MagnitudeLayout,
  magnitudeLayouts,
  maxCodec,
  memoryLimits,
  scan,
  scannedGeometry,
  shortestString,
  smallCodec,
  smallFlags,
  type TensorShape,
  type TernaryModel,
  tunedCodec,
  tunedFlags,
  tunedMemory,
  tunedMixed,
  type WeightCodec,
} from 'sterna-runtime/format'
import { ByteWriter } from './byte-writer.ts'
import { chooseTuning, naturalTuning, type Tuning } from './choose-tuning.ts'
import { entropyBits } from './entropy.ts'
import { RangeEncoder } from './range-encoder.ts'

/** A ternary tensor as it lies in a file. */
export interface StoredTernary {
  readonly shape: TensorShape
  readonly layout: MagnitudeLayout
  /** Magnitudes of each term and scales as binary16, in the order of the layout. */
  readonly magnitudes: Uint16Array
  /** Signs already turned where the layout says so. */
  readonly assignment: Int8Array
  /** The terms behind the first, where the tensor is a sum of several. */
  readonly further?: readonly Int8Array[]
}

/** A payload and the codec that reads it. */
export interface EncodedTensor {
  readonly codec: WeightCodec
  readonly payload: Uint8Array
}

/** The memory that suits most layers, and what `max` tries besides on small ones. */
const usualMemory = 4
const otherMemories = [3, 5] as const
const fewWeights = 1 << 13

/** In contexts, or with fixed probabilities where those are shorter. */
export function encodeSmall(
  tensor: StoredTernary,
  tuning: Tuning = chooseTuning(tensor, false),
): EncodedTensor {
  if (!isNatural(tensor, tuning)) return shorter(encodeTuned(tensor, tuning, false), tensor)
  return shorter({ codec: smallCodec, payload: encodeContexts(tensor, usualMemory, false) }, tensor)
}

/** With mixed contexts, of small tensors in the memory that suits best, or with fixed probabilities. */
export function encodeMax(
  tensor: StoredTernary,
  { order }: Pick<Tuning, 'order'> = chooseTuning(tensor, true),
): EncodedTensor {
  const tuning = { set: naturalTuning.set, order }
  if (!isNatural(tensor, tuning)) return shorter(encodeTuned(tensor, tuning, true), tensor)
  let best = encodeContexts(tensor, usualMemory, true)
  for (const selector of tensor.shape.elements <= fewWeights ? otherMemories : []) {
    const other = encodeContexts(tensor, selector, true)
    if (other.length < best.length) best = other
  }
  return shorter({ codec: maxCodec, payload: best }, tensor)
}

function isNatural({ further }: StoredTernary, { set, order }: Tuning): boolean {
  return further === undefined && set === naturalTuning.set && !order.channelsFirst && !order.columnsFirst
}

/** Fixed probabilities come to the entropy and a few bytes more: only then are they worth a trial. */
function shorter(contexts: EncodedTensor, tensor: StoredTernary): EncodedTensor {
  const { assignment, further } = tensor
  if (further !== undefined || contexts.payload.length < entropyBits(assignment) / 8) return contexts
  const fixed = encodeFixed(tensor)
  return fixed.length < contexts.payload.length ? { codec: smallCodec, payload: fixed } : contexts
}

/** With the memory that `selector` names; `mixed` as in `max`. */
export function encodeContexts(tensor: StoredTernary, selector: number, mixed: boolean): Uint8Array {
  const { shape, assignment } = tensor
  const geometry = geometryOf(shape)
  const model: TernaryModel = {
    ...probabilitiesOf(assignment),
    ...findDead([assignment], geometry),
    memory: memoryLimits[selector]!,
    set: naturalTuning.set,
    mixed,
  }
  const out = new ByteWriter()
  out.u8(
    magnitudeLayouts.indexOf(tensor.layout) |
      (model.deadFilters ? smallFlags.deadFilters : 0) |
      (model.deadChannels ? smallFlags.deadChannels : 0) |
      (selector << smallFlags.memoryShift),
  )
  out.u8(model.density)
  out.u8(model.negative)
  const coder = startString(tensor)
  codeAssignment(coder, assignment, geometry, model)
  out.bytes(coder.finish(shortestString(shape)))
  return out.finish()
}

/** The payload of the `tuned` codec. */
export function encodeTuned(tensor: StoredTernary, tuning: Tuning, mixed: boolean): EncodedTensor {
  const { shape } = tensor
  const { channelsFirst, columnsFirst } = tuning.order
  const coder = startString(tensor)
  const models = codeTerms(coder, tensor, tuning, mixed)
  const [{ deadFilters, deadChannels }] = models
  const out = new ByteWriter()
  out.u8(
    magnitudeLayouts.indexOf(tensor.layout) |
      (deadFilters ? tunedFlags.deadFilters : 0) |
      (deadChannels ? tunedFlags.deadChannels : 0) |
      (contextSets.indexOf(tuning.set) << tunedFlags.setShift) |
      (channelsFirst ? tunedFlags.channelsFirst : 0) |
      (columnsFirst ? tunedFlags.columnsFirst : 0),
  )
  out.u8((models.length - 1) | (mixed ? tunedMixed : 0))
  for (const { density, negative } of models) {
    out.u8(density)
    out.u8(negative)
  }
  out.bytes(coder.finish(shortestString(shape, models.length)))
  return { codec: tunedCodec, payload: out.finish() }
}

/** Codes the terms of a tensor one after the other as `tuned` does; returns how each was modelled. */
export function codeTerms(
  coder: BitCoder,
  { shape, assignment, further = [] }: StoredTernary,
  { set, order }: Tuning,
  mixed: boolean,
): readonly [TernaryModel, ...TernaryModel[]] {
  const geometry = geometryOf(shape)
  const scanned = scannedGeometry(geometry, order)
  const terms = [assignment, ...further].map(levels => {
    const coded = new Int8Array(levels.length)
    let next = 0
    scan(geometry, order, place => {
      coded[next++] = levels[place]!
    })
    return coded
  })
  const dead = findDead(terms, scanned)
  const model = (term: Int8Array, below: Int8Array | undefined): TernaryModel => {
    const made = { ...probabilitiesOf(term), ...dead, memory: tunedMemory, set, mixed }
    codeAssignment(coder, term, scanned, made, below)
    return made
  }
  const first = model(terms[0]!, undefined)
  return [first, ...terms.slice(1).map((term, index) => model(term, terms[index]))]
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

/** Of 256. */
function probabilitiesOf(assignment: Int8Array): Pick<TernaryModel, 'density' | 'negative'> {
  const { nonZeros, negatives } = countLevels(assignment)
  return {
    density: byteProbability(nonZeros, assignment.length),
    negative: byteProbability(negatives, nonZeros),
  }
}

function byteProbability(count: number, of: number): number {
  return Math.max(1, Math.min(255, Math.round((256 * count) / Math.max(1, of))))
}

function wordProbability(count: number, of: number): number {
  return Math.max(1, Math.min(65_535, Math.round((65_536 * count) / Math.max(1, of))))
}

/** Whether any filter, any channel has only zeros in any of the terms. */
function findDead(
  terms: readonly Int8Array[],
  { filters, channels, rows, columns }: Geometry,
): { readonly deadFilters: boolean; readonly deadChannels: boolean } {
  const kernel = rows * columns
  let [deadFilters, deadChannels] = [false, false]
  for (const assignment of terms) {
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
    deadFilters ||= liveFilters.includes(0)
    deadChannels ||= liveChannels.includes(0)
  }
  return { deadFilters, deadChannels }
}
