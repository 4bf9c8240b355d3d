/**
 * The gradient of a convolution's weight as a convolution of its own. dW[o, c, i, j] = Σ dy[n, o, y, x] ·
 * x[n, c, y + i, x + j] runs over samples, so the b samples of a group take the place of input channels: dy as it lies
 * is a valid blocked filter of size h × w whose reduction lane is the sample, and the image is x with its b × b tiles
 * transposed. What comes out lies in blocked weight order.
 */

import { int } from '../onnx-emitter.ts'
import { emitReduce } from '../standard/reduction.ts'
import type { BlockedEmission, BlockedNode } from './blocked-emission.ts'
import { type ConvPlan, phasedChannels } from './conv-plan.ts'
import { emitDepthwiseWeightGradient } from './depthwise.ts'
import { unphasedGradient } from './phased-weight.ts'
import { toPhases } from './phases.ts'
import { weightOrder } from './weight-order.ts'
import { emitWindowWeightGradient } from './window-weight-gradient.ts'

export function emitConvWeightGradient(
  emission: BlockedEmission,
  node: BlockedNode<'ConvWeightGradient'>,
  plan: ConvPlan,
): boolean {
  const [x, dy] = node.inputs as readonly [string, string]
  const output = node.outputs[0]!
  const { weightShape } = node.attributes
  if (plan.rows.dilation > 1 || plan.columns.dilation > 1) return false
  if (plan.groups > 1 && !plan.isDepthwise) return false
  const sizes = emission.sizes(dy)
  const source = plan.input === 'lanes' ? emission.lanes(x) : emission.maps(x)
  // One of the two factors must be zero in the batch's padding.
  const isZero = plan.input === 'lanes' || emission.isZeroTailed(source, plan.samples.n)
  const gradient = isZero ? emission.maps(dy) : emission.zeroTailed(emission.maps(dy), sizes)
  const phased = toPhases(emission, source, plan, plan.input)
  const order = weightOrder(weightShape, plan, emission.block)
  const dw = plan.isDepthwise
    ? emitDepthwiseWeightGradient(emission, source, gradient, plan)
    : plan.samples.samples !== emission.block
      ? emitWindowWeightGradient(emission, phased, gradient, plan)
      : plan.input === 'lanes'
        ? fromLanes(emission, phased, gradient, plan)
        : fromMaps(emission, phased, gradient, plan)
  emission.defineWeight(output, emission.e.reshape(unphasedGradient(emission, dw, plan), weightShape), order)
  return true
}

/** dy as the filter: [N/b·O, b, h, w]. */
function filterOf({ e, block }: BlockedEmission, dy: string, plan: ConvPlan): string {
  const { groups } = plan.samples
  return e.reshape(dy, [groups * plan.filters, block, plan.outputHeight, plan.outputWidth])
}

/** The sum over the groups of samples, `size` numbers each. */
function sumOverGroups({ e }: BlockedEmission, parts: string, groups: number, size: number): string {
  const rows = e.reshape(parts, [groups, size])
  return groups === 1 ? rows : emitReduce(e, 'ReduceSum', rows, [0], false)
}

/** Zeros beside the columns of [.., .., .., W·step]: inside the convolution they would cost its fast path. */
function padColumns({ e }: BlockedEmission, x: string, { columns }: ConvPlan, step: number): string {
  const { before, after } = columns
  if (before === 0 && after === 0) return x
  return e.emit('Pad', [x, e.integers([0, 0, 0, before * step, 0, 0, 0, after * step]), e.scalar(0)])
}

function fromMaps(emission: BlockedEmission, x: string, dy: string, plan: ConvPlan): string {
  const { e, block } = emission
  const { rows, columns, filters } = plan
  const { groups } = plan.samples
  const blocks = phasedChannels(plan) / block
  const tile = block * block
  const width = columns.length + columns.before + columns.after
  const [kernelHeight, kernelWidth] = [rows.kernel, columns.kernel]
  const turned = e.reshape(emission.transposeTiles(x, groups * blocks * rows.length * columns.length), [
    groups,
    blocks,
    rows.length,
    columns.length * tile,
  ])
  const filter = filterOf(emission, dy, plan)
  const convolve = (image: string, batch: number) =>
    emission.conv(e.reshape(image, [batch, groups * block, rows.length, width * block]), filter, {
      kernel: [plan.outputHeight, plan.outputWidth],
      dilations: [1, block],
      pads: [rows.before, 0, rows.after, 0],
      groups,
    })
  const filterBlocks = filters / block
  const taps = kernelHeight * kernelWidth * tile
  if (groups === 1) {
    // One group of samples: the blocks of channels are the batch. [C/b, O/b, kH, kW, b, b] -> [O/b, C/b, …]
    const all = convolve(padColumns(emission, turned, plan, tile), blocks)
    if (blocks === 1 || filterBlocks === 1) return all
    return e.transpose(e.reshape(all, [blocks, filterBlocks, taps]), [1, 0, 2])
  }
  const parts = Array.from({ length: blocks }, (_, at) => {
    const image = takeBlock(emission, turned, at, blocks, plan)
    return e.reshape(sumOverGroups(emission, convolve(image, 1), groups, filterBlocks * taps), [
      filterBlocks,
      1,
      taps,
    ])
  })
  return parts.length === 1 ? parts[0]! : e.emit('Concat', parts, { axis: int(1) })
}

/** Channel block `at` of [N/b, C/b, H, W·b²] with its columns padded, in one copy. */
function takeBlock(
  emission: BlockedEmission,
  x: string,
  at: number,
  blocks: number,
  { columns }: ConvPlan,
): string {
  const { e, block } = emission
  const step = block * block
  const before = [0, -at, 0, columns.before * step]
  const after = [0, at + 1 - blocks, 0, columns.after * step]
  if ([...before, ...after].every(pad => pad === 0)) return x
  return e.emit('Pad', [x, e.integers([...before, ...after]), e.scalar(0)])
}

/** The same for an image of few channels: the channels stand beside each other in W. */
function fromLanes(emission: BlockedEmission, x: string, dy: string, plan: ConvPlan): string {
  const { e, block } = emission
  const { rows, columns, filters } = plan
  const { groups } = plan.samples
  const channels = phasedChannels(plan)
  const width = columns.length + columns.before + columns.after
  const taps = rows.kernel * columns.kernel
  const beside = e.transpose(
    e.reshape(x, [groups, channels, rows.length, columns.length, block]),
    [0, 2, 3, 1, 4],
  )
  const image = padColumns(
    emission,
    e.reshape(beside, [1, groups, rows.length, columns.length * channels * block]),
    plan,
    channels * block,
  )
  const parts = emission.conv(
    e.reshape(image, [1, groups * block, rows.length, width * channels]),
    filterOf(emission, dy, plan),
    {
      kernel: [plan.outputHeight, plan.outputWidth],
      dilations: [1, channels],
      pads: [rows.before, 0, rows.after, 0],
      groups,
    },
  )
  const filterBlocks = filters / block
  const sum = sumOverGroups(emission, parts, groups, filters * taps * channels)
  // [O/b, kH·kW, C, b] -> [O/b, C, kH·kW, b]
  return e.transpose(e.reshape(sum, [filterBlocks, taps, channels, block]), [0, 2, 1, 3])
}
