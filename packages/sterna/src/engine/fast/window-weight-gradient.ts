/**
 * The gradient of a convolution's weight where the samples side by side are no block. Its reduction runs over samples
 * and columns of dy together, b neighbours at a time, so that dy as it lies is again a blocked filter, of h rows and
 * w·s/b columns. For each column of the layer's kernel the image holds the part of every row that meets dy, a window.
 */
import { int } from '../onnx-emitter.ts'
import type { BlockedEmission } from './blocked-emission.ts'
import { type ConvPlan, phasedChannels } from './conv-plan.ts'

/**
 * x of the stride-1 convolution and dy, all samples in one group -> the weight's gradient, [O/b, C/b, kH, kW, b, b] or
 * [O/b, C, kH, kW, b].
 */
export function emitWindowWeightGradient(
  emission: BlockedEmission,
  x: string,
  dy: string,
  plan: ConvPlan,
): string {
  const { e, block } = emission
  const { samples } = plan.samples
  const { filters, outputHeight, outputWidth } = plan
  const isMaps = plan.input === 'maps'
  // What lies side by side of a sample.
  const together = isMaps ? block : 1
  const planes = phasedChannels(plan) / together
  const row = outputWidth * samples
  const length = Math.ceil(row / block)
  const fill = (rows: string, numbers: number) =>
    padRows(emission, rows, row * numbers, length * block * numbers)
  const filter = e.reshape(fill(dy, block), [filters, block, outputHeight, length])
  const view = padColumns(emission, x, plan, planes, samples * together)
  const windowsOf = (columns: readonly number[]) => fill(cutWindows(emission, view, columns, plan), together)
  const all = Array.from({ length: plan.columns.kernel }, (_, column) => column)
  if (!isMaps) return fromLanes(emission, windowsOf(all), filter, plan, { planes, length })
  const copyBytes = 4 * all.length * planes * plan.rows.length * length * block ** 2
  const steps = copyBytes < leastSplitBytes ? [all] : all.map(column => [column])
  const parts = steps.map(columns =>
    fromMaps(emission, windowsOf(columns), filter, plan, { planes, length, columns: columns.length }),
  )
  const found = parts.length === 1 ? parts[0]! : e.emit('Concat', parts, { axis: int(3) })
  const taps = plan.rows.kernel * all.length
  return e.transpose(e.reshape(found, [planes, filters / block, taps * block ** 2]), [1, 0, 2])
}

/** Larger copies are made, and read, for one column of the kernel at a time. */
const leastSplitBytes = 0x100_0000

interface WindowSizes {
  /** Blocks of channels, or channels. */
  readonly planes: number
  /** Blocks of b neighbours in a row of dy. */
  readonly length: number
}

/**
 * Windows are rows of the image, so a step of the layer in H is a step of as many rows here as there are `columns` of the
 * kernel; blocks are its batch. [C/b, O/b, kH, columns, b·b]
 */
function fromMaps(
  emission: BlockedEmission,
  windows: string,
  filter: string,
  { rows, filters, outputHeight }: ConvPlan,
  { planes, length, columns }: WindowSizes & { readonly columns: number },
): string {
  const { e, block } = emission
  const height = rows.length * columns
  const image = e.reshape(emission.transposeTiles(windows, planes * height * length), [
    planes,
    block,
    height,
    length * block,
  ])
  const found = emission.conv(image, filter, {
    kernel: [outputHeight, length],
    dilations: [columns, block],
    pads: [rows.before * columns, 0, rows.after * columns, 0],
  })
  return e.reshape(found, [planes, filters / block, rows.kernel, columns, block ** 2])
}

/** Windows and channels stand beside each other in W. */
function fromLanes(
  emission: BlockedEmission,
  windows: string,
  filter: string,
  { rows, columns, filters, outputHeight }: ConvPlan,
  { planes, length }: WindowSizes,
): string {
  const { e, block } = emission
  const split = e.reshape(windows, [planes, rows.length, columns.kernel, length, block])
  const beside = columns.kernel * planes
  const image = e.reshape(e.transpose(split, [1, 3, 2, 0, 4]), [1, block, rows.length, length * beside])
  const found = emission.conv(image, filter, {
    kernel: [outputHeight, length],
    dilations: [1, beside],
    pads: [rows.before, 0, rows.after, 0],
  })
  const taps = rows.kernel * columns.kernel
  return e.transpose(e.reshape(found, [filters / block, taps, planes, block]), [0, 2, 1, 3])
}

/** x with the zeros beside its columns, [planes·H, W, inner]. */
function padColumns(
  { e }: BlockedEmission,
  x: string,
  { rows, columns: { length, before, after } }: ConvPlan,
  planes: number,
  inner: number,
): string {
  const view = e.reshape(x, [planes * rows.length, length, inner])
  if (before === 0 && after === 0) return view
  return e.emit('Pad', [view, e.integers([0, before, 0, 0, after, 0]), e.scalar(0)])
}

/** [.., W, inner] -> [.., chosen, w, inner]: for these columns of the kernel, the columns of x that they meet. */
function cutWindows(
  { e }: BlockedEmission,
  x: string,
  chosen: readonly number[],
  { columns, outputWidth }: ConvPlan,
): string {
  if (columns.kernel === 1) return x
  const [first, ...others] = chosen as readonly [number]
  if (others.length === 0)
    return e.emit('Slice', [x, e.integers([first]), e.integers([first + outputWidth]), e.integers([1])])
  const index = chosen.flatMap(column => Array.from({ length: outputWidth }, (_, at) => column + at))
  return e.emit('Gather', [x, e.integers(index)], { axis: int(1) })
}

/** Zeros behind rows of `size` numbers. */
function padRows({ e }: BlockedEmission, x: string, size: number, wanted: number): string {
  if (size === wanted) return x
  return e.emit('Pad', [e.reshape(x, [-1, size]), e.integers([0, 0, 0, wanted - size]), e.scalar(0)])
}
