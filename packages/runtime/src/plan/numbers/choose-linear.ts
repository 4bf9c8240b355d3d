/** Which kernel computes a layer with stored weights: the cheapest by `cost.ts`. */
import type { TernaryTensor } from '../../file/types.ts'
import type { Choice, Kernel, Magnitudes } from '../kernel.ts'
import { type Shape, sizeOf } from '../shape.ts'
import type { LinearStep } from '../steps.ts'
import { describeZeros } from '../zeros.ts'
import { addListsNs, denseRowsNs, denseTilesNs, gatherListsNs, neighbourSumsNs } from './cost.ts'
import { denseRuns, denseVectors } from './dense-runs.ts'
import { countTerms } from './pairs.ts'
import { chooseTiling } from './tile.ts'
import { canPair, layOutWindow, type WindowLayout } from './window.ts'

interface Costed {
  readonly kernel: Kernel
  readonly ns: number
}

export function chooseLinear(step: LinearStep, shapes: ReadonlyMap<string, Shape>): Choice {
  const { weight, convolution } = step
  const shape = shapes.get(step.node.outputs[0]!)!
  const layout = convolution && layOutWindow(convolution.window, shapes.get(step.input)!, shape)
  const dense = denseKernel(step, layout)
  if (weight.kind === 'dense') return { kernel: dense.kernel, reason: 'the weights are not ternary' }
  if (!step.filtersFirst && weight.positive.length + weight.negative.length > 2) {
    return { kernel: dense.kernel, reason: 'the magnitudes differ along the inputs' }
  }
  const count = step.nonZeros
  const total = sizeOf(weight.shape)
  const lists = listKernel(step, weight, layout, count, shapes)
  const percent = describeZeros(count, total)
  const times = `an estimated ${micro(lists)} against ${micro(dense)} µs`
  const additions = describeAdditions(lists.kernel, count)
  return lists.ns < dense.ns
    ? { kernel: lists.kernel, reason: `${percent}: ${additions} beat ${total} multiply-adds, ${times}` }
    : { kernel: dense.kernel, reason: `${percent}: ${total} multiply-adds beat ${additions}, ${times}` }
}

const describeAdditions = (kernel: Kernel, count: number): string =>
  kernel.name === 'add-lists' && kernel.entries < count
    ? `${kernel.entries} additions (${count} without sums of neighbours)`
    : `${count} additions`

const micro = ({ ns }: Costed): string => (ns / 1000).toPrecision(3)

function listKernel(
  step: LinearStep,
  weight: TernaryTensor,
  layout: WindowLayout | undefined,
  count: number,
  shapes: ReadonlyMap<string, Shape>,
): Costed {
  const { filters, rows, depth, convolution } = step
  const magnitudes = magnitudesOf(weight)
  if (layout === undefined || sizeOf(layout.output) === 1) {
    return {
      kernel: { name: 'gather-lists', magnitudes, layout },
      ns: rows * gatherListsNs(filters, count),
    }
  }
  const tiling = chooseTiling(layout.output[0], layout.output[1])
  const { window } = convolution!
  const [height, width] = window.kernel
  const rowBytes = (4 * depth * layout.rowStep) / (height * width)
  const tileBytes = rowBytes * (tiling.rows + height - 1)
  const single: Costed = {
    kernel: { name: 'add-lists', magnitudes, entries: count, layout, tiling },
    ns: addListsNs(layout.output, tiling, { filters, entries: count, tileBytes }),
  }
  if (!canPair(window)) return single
  const [input, output] = [shapes.get(step.input)!, shapes.get(step.node.outputs[0]!)!]
  const paired = layOutWindow(window, input, output, true)
  const entries = countTerms(step.lists!, depth, window.kernel)
  const sumsNs = neighbourSumsNs(2 * input![1]!, paired.sums!.floats)
  const ns = sumsNs + addListsNs(paired.output, tiling, { filters, entries, tileBytes: 3 * tileBytes })
  if (ns >= single.ns) return single
  return { kernel: { name: 'add-lists', magnitudes, entries, layout: paired, tiling }, ns }
}

function denseKernel(step: LinearStep, layout: WindowLayout | undefined): Costed {
  const { filters, depth, rows, convolution } = step
  if (layout === undefined || (sizeOf(layout.output) === 1 && readsInOrder(step, layout))) {
    return { kernel: { name: 'dense-rows', layout }, ns: rows * denseRowsNs(filters, depth) }
  }
  const runs = denseRuns(filters, convolution!.groups)
  const tiling = chooseTiling(layout.output[0], layout.output[1], denseVectors(runs))
  return {
    kernel: { name: 'dense-tiles', runs, layout, tiling },
    ns: denseTilesNs(layout.output, tiling, runs, depth),
  }
}

/** Whether weight k of every filter of a 1×1 map belongs to input k of what the window reads. */
function readsInOrder({ convolution, depth }: LinearStep, layout: WindowLayout): boolean {
  const { window, groups } = convolution!
  const [height, width] = window.kernel
  const channels = depth / (height * width)
  // Strides sort the rows and columns of a plane by phase: the last input in its place says nothing of the others.
  const isInPlace = (index: number): boolean =>
    layout.offsetOf(0, Math.floor(index / width), index % width) === index
  return (
    groups === 1 &&
    layout.offsetOf(channels - 1, height - 1, width - 1) === depth - 1 &&
    Array.from({ length: height * width }, (_, index) => index).every(isInPlace)
  )
}

function magnitudesOf({ positive, negative }: TernaryTensor): Magnitudes {
  const filters = Math.max(positive.length, negative.length)
  for (let filter = 0; filter < filters; filter++) {
    if (positive[filter % positive.length] !== negative[filter % negative.length]) return 'two'
  }
  return 'equal'
}
