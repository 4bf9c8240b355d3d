/** Turns planned steps on bytes into calls of kernels that work on the plan's memory. */
import { fillMasks, maskKey, offsetOf, planeCopies, tiledPixels } from '../../../plan/integer/byte-layout.ts'
import { byteRowsSizes, isWideLookup } from '../../../plan/integer/byte-rows.ts'
import {
  type ByteConvolution,
  type ByteDense,
  type ByteMatrix,
  type ByteOperation,
  type ByteStep,
  type Place,
  placesOf,
} from '../../../plan/integer/byte-step.ts'
import { denseTile } from '../../../plan/integer/fit.ts'
import type { Plan } from '../../../plan/plan.ts'
import type { Binding, BindingContext } from '../binding.ts'
import { copyMove, mergeAxes } from '../copies.ts'
import { emitByteCopy, emitRowCopy, widestRow } from './byte-copy.ts'
import { emitByteGather } from './byte-gather.ts'
import { writeByteLists } from './byte-lists.ts'
import { emitByteRows } from './byte-rows.ts'
import { emitByteConvolution } from './convolution.ts'
import { emitDenseBytes } from './dense-convolution.ts'
import { writeDenseWeights } from './dense-weights.ts'
import { emitLookup, emitLookupTables } from './lookup.ts'
import { emitByteMaximum, emitByteMean, emitDequantize, emitQuantize } from './plain.ts'
import { writeByteRowRecords, writeGatherLists, writeLookupWeights } from './prepare-byte-rows.ts'
import { masksOf, targetPlanes } from './target-planes.ts'

/** Writes once what no step writes: rows of zero, planes of nothing, masks. */
export function fillPlaces({ steps, places, masks }: Plan, buffer: ArrayBuffer): void {
  for (const { address, place } of places.slots) {
    const { channels, channelBytes, planeBytes } = place.layout
    const bytes = new Uint8Array(buffer, address, place.layout.bytes)
    bytes.fill(place.border)
    bytes.fill(0, channels * channelBytes, channels * channelBytes + planeBytes)
  }
  for (const { step } of steps) {
    const layout = step.kind === 'bytes' ? placesOf(step).writes?.layout : undefined
    const address = layout && masks.get(maskKey(layout))
    if (address !== undefined) fillMasks(layout!, new Uint8Array(buffer, address))
  }
}

export function bindByteStep(context: BindingContext, { operation }: ByteStep): Binding {
  const { plan, library } = context
  const start = ({ name }: Place): number => plan.places.addresses.get(name)!
  /** Of the map itself: the first plane, without its rows of zero. */
  const map = (place: Place): number => start(place) + place.layout.front
  const numbers = (value: string): number => plan.addresses.get(value)!
  switch (operation.op) {
    case 'convolution':
      return bindConvolution(context, operation)
    case 'dense':
      return bindDense(context, operation)
    case 'matrix':
      return bindMatrix(context, operation)
    case 'quantize': {
      const { target } = operation
      const { layout, range } = target
      const planes = targetPlanes(target)
      const quantize = library.request(emitQuantize, { zero: range.zero, max: range.max, planes })
      const masks = masksOf(plan, target)
      const to = start(target)
      const pixels = layout.height * layout.width
      const inverse = Math.fround(1 / range.scale)
      const from = numbers(operation.source)
      return () => {
        const run = quantize()
        return () => run(to, from, layout.channels, pixels, layout.channelBytes, masks, inverse)
      }
    }
    case 'dequantize': {
      const { source } = operation
      const { layout, range } = source
      const dequantize = library.request(emitDequantize, range.zero)
      const to = numbers(operation.target)
      const pixels = layout.height * layout.width
      return () => {
        const run = dequantize()
        return () => run(to, map(source), layout.channels, pixels, layout.channelBytes, range.scale)
      }
    }
    case 'spread':
      return bindSpread(context, operation)
    case 'maximum': {
      const { source, target, window } = operation
      const [height, width] = window.kernel
      const offsets = Array.from({ length: height * width }, (_, k) =>
        offsetOf(source.layout, window, 0, Math.floor(k / width), k % width),
      )
      const maximum = library.request(emitByteMaximum, offsets)
      const { layout } = target
      const pixels = layout.height * layout.width
      return () => {
        const run = maximum()
        return () =>
          run(
            map(target),
            start(source),
            layout.channels,
            pixels,
            layout.channelBytes,
            source.layout.channelBytes,
          )
      }
    }
    case 'mean': {
      const { source } = operation
      const { layout, range } = source
      const mean = library.request(emitByteMean, undefined)
      const to = numbers(operation.target)
      const pixels = layout.height * layout.width
      const scale = Math.fround(range.scale / pixels)
      return () => {
        const run = mean()
        return () =>
          run(to, map(source), layout.channels, pixels, layout.channelBytes, pixels * range.zero, scale)
      }
    }
    case 'move': {
      const { sources, target, movement } = operation
      const copy = library.request(emitByteCopy, undefined)
      const merged = movement.moves.map(move => ({
        source: map(sources[move.input]!),
        move: mergeAxes(move),
      }))
      const whole = new Uint8Array(context.buffer, start(target), target.layout.bytes)
      return () => () => {
        if (movement.fill !== undefined) whole.fill(movement.fill)
        for (const { source, move } of merged) copyMove(copy(), move, source, map(target), 1)
      }
    }
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
  const pixels = layout.height * layout.width
  const lists = writeByteLists(buffer, planned.weights.address, operation, kernel)
  const convolve = library.request(emitByteConvolution, {
    group: kernel.group,
    vectors: kernel.vectors,
    wide: kernel.wide,
    channelBytes: layout.channelBytes,
    planes: targetPlanes(target),
    zero: target.range.zero,
    parts: operation.filters.some(({ parts }) => parts > 1),
    lowest: operation.lowest,
    highest: operation.highest,
    ...(residual && {
      residual: { channelBytes: residual.layout.channelBytes, zero: residual.range.zero },
    }),
  })
  const address = ({ name }: Place): number => plan.places.addresses.get(name)!
  const added = residual === undefined ? 0 : address(residual) + residual.layout.front
  const masks = masksOf(plan, target)
  const tiles = tiledPixels(pixels) / (16 * kernel.vectors)
  const from = address(source)
  const to = address(target)
  return () => {
    const run = convolve()
    const { records, recordsEnd, entries } = lists
    return () => run(from, to, added, masks, tiles, records, recordsEnd, entries)
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
  const address = ({ name, layout }: Place): number => plan.places.addresses.get(name)! + layout.front
  const from = address(source)
  const to = target === undefined ? plan.addresses.get(linear.output)! : address(target)
  const end = to + outputs * (target === undefined ? 4 : 1)
  const finish = library.request(emitByteRows, {
    bounds: linear.bounds,
    ...(target && { range: target.range }),
  })
  if (kernel.name === 'byte-lookup') {
    writeLookupWeights(buffer, weights, layer, inputs)
    const fill = library.request(emitLookupTables, { wide: isWideLookup(max) })
    const look = library.request(emitLookup, { max })
    return () => {
      const [runFill, runLook, runFinish] = [fill(), look(), finish()]
      return () => {
        runFill(from, tablesEnd, tables)
        runLook(tables, tablesEnd, weights, records, sums, minusStep)
        runFinish(to, end, sums, minusStep, records)
      }
    }
  }
  const { recordsEnd } = writeGatherLists(buffer, weights, layer, inputs)
  const gather = library.request(emitByteGather, undefined)
  return () => {
    const [runGather, runFinish] = [gather(), finish()]
    return () => {
      runGather(from, weights, recordsEnd, recordsEnd, sums, minusStep)
      runFinish(to, end, sums, minusStep, records)
    }
  }
}

function bindDense({ plan, planned, buffer, library }: BindingContext, operation: ByteDense): Binding {
  const { linear, source, target } = operation
  const { layout, range } = target
  const { offsets, filters, filtersEnd, scratch } = writeDenseWeights(
    buffer,
    planned.weights.address,
    operation,
  )
  const convolve = library.request(emitDenseBytes, {
    bounds: linear.bounds,
    range,
    channelBytes: layout.channelBytes,
    planes: targetPlanes(target),
  })
  const address = ({ name }: Place): number => plan.places.addresses.get(name)!
  const [from, to] = [address(source), address(target)]
  const masks = masksOf(plan, target)
  const tiles = Math.ceil((layout.height * layout.width) / denseTile)
  return () => {
    const run = convolve()
    return () => run(from, to, masks, tiles, offsets, filters, filters, filtersEnd, scratch)
  }
}

function bindSpread(
  { plan, library }: BindingContext,
  { source, target }: Extract<ByteOperation, { readonly op: 'spread' }>,
): Binding {
  const { layout } = target
  const { height, width, channels, channelBytes, front } = source.layout
  const from = plan.places.addresses.get(source.name)! + front
  const to = plan.places.addresses.get(target.name)!
  const [rowStride, step] = layout.strides
  const copies = planeCopies(layout, height, width).map(plane => ({
    copy:
      (step === 1 || step === 2) && plane.columns <= widestRow
        ? library.request(emitRowCopy, { columns: plane.columns, step })
        : library.request(emitByteCopy, undefined),
    numbers: [
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
    ],
  }))
  return () => {
    const calls = copies.map(({ copy, numbers }) => ({ run: copy(), numbers }))
    return () => {
      for (const { run, numbers } of calls) run(...numbers)
    }
  }
}
