/** Turns planned steps on bytes into calls of kernels that work on the plan's memory. */
import { fillMasks, offsetOf, planeCopies, tiledPixels } from '../../../plan/integer/byte-layout.ts'
import { byteRowsSizes, isWideLookup } from '../../../plan/integer/byte-rows.ts'
import type {
  ByteConvolution,
  ByteDense,
  ByteMatrix,
  ByteOperation,
  ByteStep,
  Place,
} from '../../../plan/integer/byte-step.ts'
import { denseTile } from '../../../plan/integer/fit.ts'
import type { Plan } from '../../../plan/plan.ts'
import { type Binding, type BindingContext, bindCall, bindInOrder } from '../binding.ts'
import { bindMoves, emitFill, mergeAxes } from '../copies.ts'
import { emitByteCopy, emitRowCopy, widestRow } from './byte-copy.ts'
import { emitByteGather } from './byte-gather.ts'
import { emitPlaceEntries, placeEntries, writeByteLists } from './byte-lists.ts'
import { emitByteRows } from './byte-rows.ts'
import { emitByteConvolution } from './convolution.ts'
import { emitDenseBytes } from './dense-convolution.ts'
import { writeDenseWeights } from './dense-weights.ts'
import { emitLookup, emitLookupTables } from './lookup.ts'
import { emitByteMaximum, emitPairMaximum } from './maximum.ts'
import { emitByteMean, emitDequantize, emitQuantize } from './plain.ts'
import { writeByteRowRecords, writeGatherLists, writeLookupWeights } from './prepare-byte-rows.ts'
import { masksOf, targetPlanes } from './target-planes.ts'

/** Writes once what no step writes: rows of zero, planes of nothing, masks. */
export function fillPlaces({ places }: Plan, buffer: ArrayBuffer): void {
  for (const { address, place } of places.slots) {
    const { channels, channelBytes, planeBytes } = place.layout
    const bytes = new Uint8Array(buffer, address, place.layout.bytes)
    bytes.fill(place.border)
    bytes.fill(0, channels * channelBytes, channels * channelBytes + planeBytes)
  }
  for (const { address, layout } of places.masks.values()) fillMasks(layout, new Uint8Array(buffer, address))
}

const placeAddress = ({ places }: Plan, { name }: Place): number => places.addresses.get(name)!

/** Of the map itself: the first plane, without its rows of zero. */
const mapAddress = (plan: Plan, place: Place): number => placeAddress(plan, place) + place.layout.front

export function bindByteStep(context: BindingContext, { operation }: ByteStep): Binding {
  const { plan, library } = context
  const numbers = (value: string): number => plan.addresses.get(value)!
  switch (operation.op) {
    case 'convolution':
      return bindConvolution(context, operation)
    case 'dense':
      return bindDense(context, operation)
    case 'matrix':
      return bindMatrix(context, operation)
    case 'quantize': {
      const { source, target } = operation
      const { layout, range } = target
      return bindCall(
        library.request(emitQuantize, { zero: range.zero, max: range.max, planes: targetPlanes(target) }),
        placeAddress(plan, target),
        numbers(source),
        layout.channels,
        layout.height * layout.width,
        layout.channelBytes,
        masksOf(plan, target),
        Math.fround(1 / range.scale),
      )
    }
    case 'dequantize': {
      const { source, target } = operation
      const { layout, range } = source
      return bindCall(
        library.request(emitDequantize, range.zero),
        numbers(target),
        mapAddress(plan, source),
        layout.channels,
        layout.height * layout.width,
        layout.channelBytes,
        range.scale,
      )
    }
    case 'spread':
      return bindSpread(context, operation)
    case 'maximum': {
      const { source, target, window } = operation
      const [height, width] = window.kernel
      const offsets = Array.from({ length: height * width }, (_, k) =>
        offsetOf(source.layout, window, 0, Math.floor(k / width), k % width),
      )
      const { layout, range } = target
      return bindCall(
        library.request(emitByteMaximum, { offsets, planes: targetPlanes(target), zero: range.zero }),
        placeAddress(plan, target),
        placeAddress(plan, source),
        layout.channels,
        layout.height * layout.width,
        layout.channelBytes,
        source.layout.channelBytes,
        masksOf(plan, target),
      )
    }
    case 'pair-maximum': {
      const { source, target } = operation
      const { layout, range } = target
      return bindCall(
        library.request(emitPairMaximum, {
          columns: layout.width,
          rowStep: source.layout.width,
          front: layout.front,
          planes: targetPlanes(target),
          zero: range.zero,
        }),
        placeAddress(plan, target),
        mapAddress(plan, source),
        layout.channels,
        layout.height,
        layout.height * layout.width,
        layout.channelBytes,
        source.layout.channelBytes,
        masksOf(plan, target),
      )
    }
    case 'mean': {
      const { source, target } = operation
      const { layout, range } = source
      const pixels = layout.height * layout.width
      return bindCall(
        library.request(emitByteMean, undefined),
        numbers(target),
        mapAddress(plan, source),
        layout.channels,
        pixels,
        layout.channelBytes,
        pixels * range.zero,
        Math.fround(range.scale / pixels),
      )
    }
    case 'move':
      return bindMove(context, operation)
    default:
      return operation satisfies never
  }
}

function bindConvolution(
  { plan, planned, buffer, library }: BindingContext,
  operation: ByteConvolution,
): Binding {
  const { kernel } = planned
  if (kernel.name !== 'byte-lists')
    throw new TypeError(`a convolution on bytes was planned as ${kernel.name}`)
  const { source, residual, target } = operation
  const { layout } = target
  const lists = writeByteLists(buffer, planned.weights.address, operation, kernel)
  const convolve = library.request(emitByteConvolution, {
    group: kernel.group,
    vectors: kernel.vectors,
    wide: kernel.wide,
    channelBytes: layout.channelBytes,
    planes: targetPlanes(target),
    zero: target.range.zero,
    parts: operation.filters.some(({ parts }) => parts > 1),
    doubles: operation.filters.some(({ doublings }) => doublings > 0),
    lowest: operation.lowest,
    highest: operation.highest,
    ...(residual && {
      residual: { channelBytes: residual.layout.channelBytes, zero: residual.range.zero },
    }),
  })
  const place = library.request(emitPlaceEntries, { wide: kernel.wide })
  const call = bindCall(
    convolve,
    placeAddress(plan, source),
    placeAddress(plan, target),
    residual === undefined ? 0 : mapAddress(plan, residual),
    masksOf(plan, target),
    tiledPixels(layout.height * layout.width) / (16 * kernel.vectors),
    lists.records,
    lists.recordsEnd,
    lists.entries,
  )
  return () => {
    placeEntries(place(), buffer, plan.places.table, lists, operation)
    return call()
  }
}

function bindMatrix({ plan, planned, buffer, library }: BindingContext, operation: ByteMatrix): Binding {
  const { kernel } = planned
  if (kernel.name !== 'byte-lookup' && kernel.name !== 'byte-gather') {
    throw new TypeError(`a matrix on bytes was planned as ${kernel.name}`)
  }
  const { linear, layer, source, target } = operation
  const { inputs, outputs, max } = kernel.shape
  const sizes = byteRowsSizes(kernel.name, kernel.shape)
  const weights = planned.weights.address
  const records = weights + sizes.weightBytes
  const tables = records + sizes.recordBytes
  const tablesEnd = tables + sizes.tableBytes
  const sums = tablesEnd
  const { minusStep } = sizes
  writeByteRowRecords(buffer, records, layer, inputs)
  const from = mapAddress(plan, source)
  const to = target === undefined ? plan.addresses.get(linear.output)! : mapAddress(plan, target)
  const end = to + outputs * (target === undefined ? 4 : 1)
  const finish = library.request(emitByteRows, {
    bounds: linear.bounds,
    ...(target && { range: target.range }),
  })
  const finishing = bindCall(finish, to, end, sums, minusStep, records)
  if (kernel.name === 'byte-lookup') {
    writeLookupWeights(buffer, weights, layer, inputs)
    const fill = library.request(emitLookupTables, { wide: isWideLookup(max) })
    const look = library.request(emitLookup, { max })
    return bindInOrder(
      bindCall(fill, from, tablesEnd, tables),
      bindCall(look, tables, tablesEnd, weights, records, sums, minusStep),
      finishing,
    )
  }
  const { recordsEnd } = writeGatherLists(buffer, weights, layer, inputs)
  const gather = library.request(emitByteGather, undefined)
  return bindInOrder(bindCall(gather, from, weights, recordsEnd, recordsEnd, sums, minusStep), finishing)
}

function bindDense({ plan, planned, buffer, library }: BindingContext, operation: ByteDense): Binding {
  const { linear, source, target } = operation
  const { layout, range } = target
  const { offsets, offsetsEnd, runs, scratch } = writeDenseWeights(buffer, planned.weights.address, operation)
  const [from, to] = [placeAddress(plan, source), placeAddress(plan, target)]
  const masks = masksOf(plan, target)
  const tiles = Math.ceil((layout.height * layout.width) / denseTile)
  const bindings = runs.map(({ together, firstFilter, filters, filtersEnd }) => {
    const convolve = library.request(emitDenseBytes, {
      together,
      bounds: linear.bounds,
      range,
      channelBytes: layout.channelBytes,
      planes: targetPlanes(target),
    })
    const first = to + firstFilter * layout.channelBytes
    return bindCall(convolve, from, first, masks, tiles, offsets, offsetsEnd, filters, filtersEnd, scratch)
  })
  return bindInOrder(...bindings)
}

function bindSpread(
  { plan, library }: BindingContext,
  { source, target }: Extract<ByteOperation, { readonly op: 'spread' }>,
): Binding {
  const { layout } = target
  const { height, width, channels, channelBytes } = source.layout
  const from = mapAddress(plan, source)
  const to = placeAddress(plan, target)
  const [rowStride, step] = layout.strides
  const copies = planeCopies(layout, height, width).map(plane =>
    bindCall(
      (step === 1 || step === 2) && plane.columns <= widestRow
        ? library.request(emitRowCopy, { columns: plane.columns, step })
        : library.request(emitByteCopy, undefined),
      to + plane.target,
      from + plane.source.row * width + plane.source.column,
      channels,
      plane.rows,
      plane.columns,
      layout.channelBytes,
      layout.width,
      channelBytes,
      rowStride * width,
      step,
    ),
  )
  return bindInOrder(...copies)
}

function bindMove(
  { plan, library }: BindingContext,
  { sources, target, movement }: Extract<ByteOperation, { readonly op: 'move' }>,
): Binding {
  const moves = movement.moves.map(move => ({
    source: mapAddress(plan, sources[move.input]!),
    move: mergeAxes(move),
  }))
  const { fill } = movement
  const whole = placeAddress(plan, target)
  const vector = fill === undefined ? undefined : new Array<number>(16).fill(fill)
  const filling = vector && bindCall(library.request(emitFill, vector), whole, whole + target.layout.bytes)
  return bindMoves(library.request(emitByteCopy, undefined), moves, mapAddress(plan, target), 1, filling)
}
