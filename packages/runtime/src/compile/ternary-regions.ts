/**
 * Where in a session's memory the ternary weights lie, and how levels become what lies there: a module that is shipped
 * carries the levels, coded, instead.
 */
import { inputOffsets } from '../kernels/wasm/bind.ts'
import { fillTapOffsets } from '../kernels/wasm/integer/byte-lists.ts'
import { byteRecordBytes } from '../kernels/wasm/integer/convolution.ts'
import { type NeighbourSums, startsWithPlus, visitSign } from '../kernels/wasm/prepare.ts'
import { byteRowsSizes } from '../plan/integer/byte-rows.ts'
import type { ByteConvolution, ByteMatrix } from '../plan/integer/byte-step.ts'
import type { Kernel } from '../plan/kernel.ts'
import { recordBytes } from '../plan/numbers/prepared-bytes.ts'
import type { Plan, PlannedStep } from '../plan/plan.ts'
import type { LinearStep } from '../plan/steps.ts'
import type { TernaryTensor } from '../tensors.ts'

/** What all ternary layers have. */
interface Levels {
  /** −1, 0 or +1; [filters, depth]. */
  readonly levels: Int8Array
  readonly filters: number
  /** Weights of a filter. */
  readonly depth: number
  /** Rows and columns of a kernel, [1, 1] for a matrix: neighbours in it look alike. */
  readonly kernel: readonly [rows: number, columns: number]
}

/**
 * For each filter a record, which begins with the ends of two lists, 32 bits each; behind all records the lists. Levels of
 * +1 here are what stands in the first list.
 */
export interface ListRegion extends Levels {
  readonly kind: 'lists'
  readonly records: number
  readonly recordBytes: number
  readonly entries: number
  readonly end: number
  readonly entryBytes: 2 | 4
  /** Entry of each weight in a filter of the first group; [depth]. */
  readonly offsets: Uint32Array
  /** What the entries of every group are further than those of the group before, and filters of a group. */
  readonly groupStep: number
  readonly filtersPerGroup: number
  /** Lists are filled up to a multiple of so many entries, with `filler`. */
  readonly group: 1 | 2 | 4
  readonly filler: number
  /** Most entries of a list in one record, where long filters have several: byte 17 then says that one more follows. */
  readonly inPart: number | undefined
  /** Entries that stand for two neighbours. */
  readonly sums: NeighbourSums | undefined
}

/** Bits of a byte for every four inputs: under +1 the lower four, under −1 the upper; 16 filters side by side. */
export interface LookupRegion extends Levels {
  readonly kind: 'lookup'
  readonly address: number
  readonly end: number
}

export type TernaryRegion = ListRegion | LookupRegion

/** Of every step whose kernel reads lists or lookup bits. */
export const ternaryRegions = (plan: Plan): TernaryRegion[] =>
  plan.steps.flatMap(planned => regionOf(planned) ?? [])

function regionOf(planned: PlannedStep): TernaryRegion | undefined {
  const { kernel, step } = planned
  switch (kernel.name) {
    case 'byte-lists':
      return step.kind === 'bytes' && step.operation.op === 'convolution'
        ? byteLists(planned, step.operation, kernel)
        : undefined
    case 'byte-gather':
    case 'byte-lookup':
      return step.kind === 'bytes' && step.operation.op === 'matrix'
        ? byteRows(planned, step.operation, kernel)
        : undefined
    case 'add-lists':
    case 'gather-lists':
      return step.kind === 'linear' ? numberLists(planned, step, kernel) : undefined
    default:
      return undefined
  }
}

function byteLists(
  { weights: { address, bytes } }: PlannedStep,
  operation: ByteConvolution,
  { group, wide }: Extract<Kernel, { readonly name: 'byte-lists' }>,
): ListRegion {
  const { linear, filters, source, inPart, window } = operation
  const { depth } = linear
  const { channelBytes, channels } = source.layout
  const groups = linear.convolution!.groups
  const offsets = new Uint32Array(depth)
  fillTapOffsets(offsets, operation, 0)
  const records = filters.reduce((sum, { parts }) => sum + parts, 0)
  return {
    kind: 'lists',
    levels: firstAsPlus(linear, o => filters[o]!.plusFirst),
    filters: filters.length,
    depth,
    kernel: window.kernel,
    records: address,
    recordBytes: byteRecordBytes,
    entries: address + records * byteRecordBytes,
    end: address + bytes,
    entryBytes: wide ? 4 : 2,
    offsets,
    groupStep: (channels / groups) * channelBytes,
    filtersPerGroup: filters.length / groups,
    group,
    filler: channels * channelBytes,
    inPart: records > filters.length ? inPart : undefined,
    sums: undefined,
  }
}

function byteRows(
  { weights: { address } }: PlannedStep,
  { layer: { assignment } }: ByteMatrix,
  { name, shape }: Extract<Kernel, { readonly name: 'byte-gather' | 'byte-lookup' }>,
): TernaryRegion {
  const { inputs, outputs } = shape
  const of = { levels: assignment, filters: outputs, depth: inputs, kernel: [1, 1] as const }
  const end = address + byteRowsSizes(name, shape).weightBytes
  if (name === 'byte-lookup') return { kind: 'lookup', ...of, address, end }
  return {
    kind: 'lists',
    ...of,
    records: address,
    recordBytes: 8,
    entries: address + 8 * outputs,
    end,
    entryBytes: 2,
    offsets: Uint32Array.from({ length: inputs }, (_, k) => k),
    ...ungrouped(outputs),
  }
}

function numberLists(
  planned: PlannedStep,
  step: LinearStep,
  { magnitudes, layout }: Extract<Kernel, { readonly name: 'add-lists' | 'gather-lists' }>,
): ListRegion {
  const { address, bytes } = planned.weights
  const { filters, depth, convolution } = step
  const weight = step.weight as TernaryTensor
  const { ofWeights, groupStep, filtersPerGroup, sums } = inputOffsets(planned, layout)
  const ownBytes = recordBytes[magnitudes]
  return {
    kind: 'lists',
    levels: firstAsPlus(step, o => startsWithPlus(weight, magnitudes, o)),
    filters,
    depth,
    kernel: convolution?.window.kernel ?? [1, 1],
    records: address,
    recordBytes: ownBytes,
    entries: address + filters * ownBytes,
    end: address + bytes,
    entryBytes: 4,
    offsets: ofWeights,
    ...ungrouped(filters),
    groupStep,
    filtersPerGroup,
    sums,
  }
}

const ungrouped = (filters: number) =>
  ({
    groupStep: 0,
    filtersPerGroup: filters,
    group: 1,
    filler: 0,
    inPart: undefined,
    sums: undefined,
  }) as const

/** The levels of a layer, turned in those filters whose first list is that of −1. */
function firstAsPlus(step: LinearStep, plusFirst: (filter: number) => boolean): Int8Array {
  const { filters, depth } = step
  const levels = new Int8Array(filters * depth)
  for (let o = 0; o < filters; o++) {
    for (const sign of [1, -1]) {
      const level = plusFirst(o) ? sign : -sign
      visitSign(step, o, sign, k => {
        levels[o * depth + k] = level
      })
    }
  }
  return levels
}
