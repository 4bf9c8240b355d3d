/** Writes weights into memory in the form the kernels read; `plan/numbers/prepared-bytes.ts` says how long that is. */
import type { TernaryTensor } from '../../file/types.ts'
import type { Magnitudes } from '../../plan/kernel.ts'
import { type DenseRun, denseRowBytes } from '../../plan/numbers/dense-runs.ts'
import { levelsOfFilter, visitSign as visitList } from '../../plan/numbers/filter-lists.ts'
import { eachTerm } from '../../plan/numbers/pairs.ts'
import { denseBlock, recordBytes } from '../../plan/numbers/prepared-bytes.ts'
import type { LinearStep } from '../../plan/steps.ts'
import { widenTensor } from '../widen-tensor.ts'

/** Where in memory a layer's records and lists were written. */
export interface Lists {
  readonly records: number
  readonly recordsEnd: number
  readonly entries: number
}

/** Where the sums of a window's neighbouring inputs lie; steps in bytes. */
export interface NeighbourSums {
  readonly kernel: readonly [number, number]
  /** From the layer's first input to the first sum. */
  readonly first: number
  /** From one plane of sums to the next; each channel has two. */
  readonly planeStep: number
  /** From the inputs of one channel to those of the next. */
  readonly channelStep: number
  readonly channelsPerGroup: number
}

/** Where the inputs of a filter's weights lie, in bytes from the layer's first input. */
export interface InputOffsets {
  /** Of each weight of the first filter. */
  readonly ofWeights: Uint32Array
  /** How much further every group's inputs begin than those of the group before it. */
  readonly groupStep: number
  readonly filtersPerGroup: number
  readonly sums?: NeighbourSums
}

/** Appends little-endian 32-bit numbers to memory. */
class Writer {
  readonly #view: DataView
  address: number

  constructor(buffer: ArrayBuffer, address: number) {
    this.#view = new DataView(buffer)
    this.address = address
  }

  /** Modulo 2^32, so that an offset may point backwards. */
  u32(value: number): void {
    this.#view.setUint32(this.address, value, true)
    this.address += 4
  }

  f32(value: number): void {
    this.#view.setFloat32(this.address, value, true)
    this.address += 4
  }
}

/** Calls `visit` with the place in output `o`, in ascending order, of each of its weights that has this sign. */
export function visitSign(step: LinearStep, o: number, sign: number, visit: (k: number) => void): void {
  if (step.lists !== undefined) {
    visitList(step.lists, o, sign, visit)
    return
  }
  const { assignment } = step.weight as TernaryTensor
  for (let k = 0; k < step.depth; k++) if (assignment[weightIndex(step, o, k)] === sign) visit(k)
}

const weightIndex = ({ filtersFirst, filters, depth }: LinearStep, o: number, k: number): number =>
  filtersFirst ? o * depth + k : k * filters + o

/** Whether the list of +1 comes first in an output's record. */
export function startsWithPlus(
  { positive, negative }: TernaryTensor,
  magnitudes: Magnitudes,
  o: number,
): boolean {
  const of = (values: Float32Array): number => values[values.length === 1 ? 0 : o]!
  return magnitudes === 'equal' || of(positive) < of(negative)
}

/**
 * Ternary filters as two offset lists each.
 *
 * With two magnitudes the list of the smaller one comes first, so that the ratio is at most 1 and nothing
 * overflows: w_p ΣP − w_n ΣM = w_p (−w_n/w_p ΣM + ΣP) = −w_n (−w_p/w_n ΣP + ΣM).
 */
export function writeTernaryLists(
  buffer: ArrayBuffer,
  address: number,
  step: LinearStep,
  magnitudes: Magnitudes,
  { ofWeights, groupStep, filtersPerGroup, sums }: InputOffsets,
): Lists {
  const { filters, alpha, bias } = step
  const weight = step.weight as TernaryTensor
  const records = new Writer(buffer, address)
  const recordsEnd = address + filters * recordBytes[magnitudes]
  const entries = new Writer(buffer, recordsEnd)
  for (let o = 0; o < filters; o++) {
    const positive = weight.positive[weight.positive.length === 1 ? 0 : o]!
    const negative = weight.negative[weight.negative.length === 1 ? 0 : o]!
    const group = Math.floor(o / filtersPerGroup) * groupStep
    const plusFirst = startsWithPlus(weight, magnitudes, o)
    for (const sign of plusFirst ? [1, -1] : [-1, 1]) {
      if (sums === undefined) {
        visitSign(step, o, sign, k => entries.u32(group + ofWeights[k]!))
      } else {
        const [height, width] = sums.kernel
        const firstChannel = Math.floor(o / filtersPerGroup) * sums.channelsPerGroup
        const filter = levelsOfFilter(step.lists!, o, step.depth)
        eachTerm(filter, sign, sums.kernel, (channel, ky, kx, term) => {
          const k = (channel * height + ky) * width + kx
          if (term === 'one') {
            entries.u32(group + ofWeights[k]!)
            return
          }
          const plane = 2 * (firstChannel + channel) + (term === 'below' ? 1 : 0)
          entries.u32(sums.first + plane * sums.planeStep + ofWeights[k]! - channel * sums.channelStep)
        })
      }
      records.u32(entries.address)
    }
    if (magnitudes === 'two') {
      const [small, large] = plusFirst ? [positive, negative] : [negative, positive]
      records.f32(large === 0 ? 0 : -small / large)
      records.f32(alpha * (plusFirst ? -large : large))
    } else {
      records.f32(alpha * positive)
    }
    records.f32(bias?.[o] ?? 0)
  }
  return { records: address, recordsEnd, entries: recordsEnd }
}

/** Blocks of filters of any weights: one list each, of offsets with the weights of all filters of the block. */
export function writeDenseRun(
  buffer: ArrayBuffer,
  address: number,
  step: LinearStep,
  run: DenseRun,
  { ofWeights, groupStep, filtersPerGroup }: InputOffsets,
): Lists {
  const { depth, alpha, bias } = step
  const weights = widenTensor(step.weight)
  const records = new Writer(buffer, address)
  const recordsEnd = address + run.blocks * denseRowBytes(run)
  const entries = new Writer(buffer, recordsEnd)
  for (let block = 0; block < run.blocks; block++) {
    const first = run.firstFilter + block * run.filters
    const group = Math.floor(first / filtersPerGroup) * groupStep
    for (let k = 0; k < depth; k++) {
      entries.u32(group + ofWeights[k]!)
      for (let o = first; o < first + run.filters; o++) {
        entries.f32(alpha * weights[weightIndex(step, o, k)]!)
      }
    }
    records.u32(entries.address)
    for (let o = first; o < first + run.filters; o++) records.f32(bias?.[o] ?? 0)
  }
  return { records: address, recordsEnd, entries: recordsEnd }
}

/** One list for each channel: all of its window. A mean divides by their number. */
export function writePoolLists(
  buffer: ArrayBuffer,
  address: number,
  pool: 'max' | 'mean',
  channels: number,
  [height, width]: readonly [number, number],
  offsetOf: (channel: number, ky: number, kx: number) => number,
): Lists {
  const records = new Writer(buffer, address)
  const recordsEnd = address + channels * recordBytes[pool]
  const entries = new Writer(buffer, recordsEnd)
  for (let c = 0; c < channels; c++) {
    for (let ky = 0; ky < height; ky++) {
      for (let kx = 0; kx < width; kx++) entries.u32(4 * offsetOf(c, ky, kx))
    }
    records.u32(entries.address)
    if (pool === 'max') continue
    records.u32(entries.address)
    records.f32(1 / (height * width))
    records.f32(0)
  }
  return { records: address, recordsEnd, entries: recordsEnd }
}

/** A block of neighbouring outputs of a dense layer. */
export interface Block {
  readonly address: number
  readonly firstOutput: number
  readonly vectors: number
}

/** The weights of up to 24 outputs at a time: a row of biases, then for each input its row of weights. */
export function writeDenseBlocks(buffer: ArrayBuffer, address: number, step: LinearStep): Block[] {
  const { filters, depth, alpha, bias } = step
  const weights = widenTensor(step.weight)
  const blocks: Block[] = []
  const writer = new Writer(buffer, address)
  for (let first = 0; first < filters; first += denseBlock) {
    const vectors = Math.ceil(Math.min(denseBlock, filters - first) / 4)
    blocks.push({ address: writer.address, firstOutput: first, vectors })
    for (let k = -1; k < depth; k++) {
      for (let o = first; o < first + 4 * vectors; o++) {
        if (o >= filters) writer.f32(0)
        else writer.f32(k < 0 ? (bias?.[o] ?? 0) : alpha * weights[weightIndex(step, o, k)]!)
      }
    }
  }
  return blocks
}
