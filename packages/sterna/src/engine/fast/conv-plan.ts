/** Whether and how a convolution runs on blocks; the same plan serves its two gradients. */
import type { ConvAttributes } from 'sterna-runtime'
import { type Shape, sizeOf } from '../../core/index.ts'
import { type AxisPhases, axisPhases } from './axis-phases.ts'
import { type SampleGroups, sampleGroups } from './sample-groups.ts'

export interface ConvPlan {
  /** Of the batch. */
  readonly samples: SampleGroups
  /** 'lanes': fewer input channels than a block, read sample by sample; 'maps': blocks of channels. */
  readonly input: 'lanes' | 'maps'
  readonly isDepthwise: boolean
  readonly groups: number
  /** Of the input [N, C, H, W]. */
  readonly channels: number
  readonly height: number
  readonly width: number
  /** Of the output [N, O, h, w]. */
  readonly filters: number
  readonly outputHeight: number
  readonly outputWidth: number
  readonly kernel: readonly [number, number]
  readonly rows: AxisPhases
  readonly columns: AxisPhases
}

/** A plan, or why there is none. `isImage`: the input is given anew at every run, so nothing flows back to it. */
export function planConv(
  x: Shape,
  weight: Shape,
  y: Shape,
  { strides, dilations, pads, groups }: ConvAttributes,
  block: number,
  isImage: boolean,
): ConvPlan | string {
  const [n, channels, height, width] = x as [number, number, number, number]
  const [filters, perGroup, kernelHeight, kernelWidth] = weight as [number, number, number, number]
  const [, , outputHeight, outputWidth] = y as [number, number, number, number]
  const isDepthwise = groups > 1 && groups === channels && groups === filters
  const isStrided = strides[0] > 1 || strides[1] > 1
  const reason = (text: string) => `${text}, the block is ${block}`
  if (n === 0) return 'an empty batch'
  if (filters % block !== 0) return reason(`${filters} output channels`)
  if (groups > 1) {
    if (!isDepthwise && (perGroup % block !== 0 || (filters / groups) % block !== 0)) {
      return reason(`groups of ${perGroup} input and ${filters / groups} output channels`)
    }
    if (isStrided) return 'groups and strides'
  }
  const rows = axisPhases({
    size: height,
    kernel: kernelHeight,
    stride: strides[0],
    dilation: dilations[0],
    before: pads[0],
    output: outputHeight,
  })
  const columns = axisPhases({
    size: width,
    kernel: kernelWidth,
    stride: strides[1],
    dilation: dilations[1],
    before: pads[1],
    output: outputWidth,
  })
  if (rows === undefined || columns === undefined) return 'strides and dilations'
  const isThin = channels % block !== 0
  if (isThin) {
    if (!isImage || channels * rows.phases.length * columns.phases.length >= block)
      return reason(`${channels} input channels`)
  }
  return {
    input: isThin ? 'lanes' : 'maps',
    isDepthwise,
    groups,
    samples: sampleGroups(n, block),
    channels,
    height,
    width,
    filters,
    outputHeight,
    outputWidth,
    kernel: [kernelHeight, kernelWidth],
    rows,
    columns,
  }
}

/** [N, C, H, W] that can lie in blocks. */
export function isBlockable(shape: Shape, block: number): boolean {
  return shape.length === 4 && sizeOf(shape) > 0 && shape[1]! % block === 0
}

/** The input is read by phases instead of as it lies. */
export function isPhased({ rows, columns }: ConvPlan): boolean {
  return rows.stride > 1 || columns.stride > 1
}

/** Input channels of the stride-1 convolution. */
export function phasedChannels({ channels, rows, columns }: ConvPlan): number {
  return channels * rows.phases.length * columns.phases.length
}
