/** Which kernel computes a step, and why. */
import type { PackedModel, PackedNode, TernaryTensor } from '../file/types.ts'
import { chooseLinear } from './choose-linear.ts'
import type { DenseRun } from './dense-runs.ts'
import type { ByteRowsKernel, ByteRowsShape } from './integer/byte-rows.ts'
import { chooseByteKernel } from './integer/choose-byte-kernel.ts'
import { isMoving, type Movement, movementOf } from './moves.ts'
import { type Shape, sameShape, sizeOf } from './shape.ts'
import { resolveAxes } from './shape-rules.ts'
import type { Bounds, Step } from './steps.ts'
import { chooseTiling, type Tiling } from './tile.ts'
import { layOutWindow, type WindowLayout } from './window.ts'

/** One magnitude for +1 and −1 needs one multiplication an output, two need two. */
export type Magnitudes = 'equal' | 'two'

export interface Tiled {
  readonly layout: WindowLayout
  readonly tiling: Tiling
}

export type Kernel =
  /** Ternary convolution: per output channel a list of inputs to add and one to subtract, a tile at a time. */
  | ({
      readonly name: 'add-lists'
      readonly magnitudes: Magnitudes
      /** Entries of all lists; fewer than weights where `layout` has sums of neighbours. */
      readonly entries: number
    } & Tiled)
  /** The same for single outputs (fully connected, or a 1×1 map): one number at a time. */
  | {
      readonly name: 'gather-lists'
      readonly magnitudes: Magnitudes
      readonly layout: WindowLayout | undefined
    }
  /** Convolution with one multiplication a weight, several filters at a time. */
  | ({ readonly name: 'dense-tiles'; readonly runs: readonly DenseRun[] } & Tiled)
  /** Matrix times vector, neighbouring outputs in the lanes. */
  | { readonly name: 'dense-rows'; readonly layout: WindowLayout | undefined }
  | ({
      readonly name: 'pool-tiles'
      readonly pool: 'max' | 'mean'
      readonly window: readonly [number, number]
    } & Tiled)
  | { readonly name: 'copy'; readonly movement: Movement }
  | { readonly name: 'clip'; readonly bounds: Bounds }
  | { readonly name: 'combine'; readonly op: 'Add' | 'Sub' | 'Mul' }
  /** Sums or means over the last axes. */
  | { readonly name: 'row-sums'; readonly length: number; readonly scale: number }
  /** Ternary convolution on bytes: add-lists on whole vectors of 16. */
  | {
      readonly name: 'byte-lists'
      /** Bytes added up in a byte. */
      readonly group: 1 | 2 | 4
      /** Offsets of 32 bits instead of 16. */
      readonly wide: boolean
      /** Vectors of one tile. */
      readonly vectors: number
    }
  /** Fully connected on bytes, by tables of the sums of four inputs or by lists. */
  | { readonly name: ByteRowsKernel; readonly shape: ByteRowsShape }
  | {
      readonly name:
        | 'byte-dense'
        | 'quantize'
        | 'dequantize'
        | 'byte-window'
        | 'byte-maximum'
        | 'byte-pairs'
        | 'byte-mean'
        | 'byte-copy'
    }
  /** The output is the input under another name. */
  | { readonly name: 'alias' }
  | { readonly name: 'reference' }

export type KernelName = Kernel['name']

export interface Choice {
  readonly kernel: Kernel
  readonly reason: string
}

/** Beyond this a window's offsets are not worth a list. */
const maxWindowArea = 1 << 16

export function chooseKernel(
  step: Step,
  model: PackedModel,
  shapes: ReadonlyMap<string, Shape>,
  simd: boolean,
): Choice {
  if (step.kind === 'bytes')
    return simd ? chooseByteKernel(step) : reference('this session has no SIMD kernels')
  if (step.kind === 'linear') return chooseLinear(step, shapes)
  const { node } = step
  if (isAlias(node) && !model.tensors.has(node.inputs[0]!)) {
    return { kernel: { name: 'alias' }, reason: 'only the shape changes' }
  }
  if (!simd) return reference('this session has no SIMD kernels')
  if (node.inputs.some(name => model.tensors.has(name))) return reference('one operand is a stored tensor')
  return chooseNode(node, shapes) ?? reference(`no SIMD kernel for this ${node.op}`)
}

const reference = (reason: string): Choice => ({ kernel: { name: 'reference' }, reason })

/** Operators that only give the shape another name. */
export const isAlias = ({ op }: PackedNode): boolean =>
  op === 'Flatten' ||
  op === 'Reshape' ||
  op === 'Squeeze' ||
  op === 'Unsqueeze' ||
  op === 'Dropout' ||
  op === 'Identity'

function chooseNode(node: PackedNode, shapes: ReadonlyMap<string, Shape>): Choice | undefined {
  const inputs = node.inputs.map(name => shapes.get(name)!)
  const x = inputs[0]!
  const output = shapes.get(node.outputs[0]!)!
  if (isMoving(node)) {
    return {
      kernel: { name: 'copy', movement: movementOf(node, inputs, output) },
      reason: 'numbers only move',
    }
  }
  switch (node.op) {
    case 'Relu':
      return {
        kernel: { name: 'clip', bounds: { min: 0, max: Number.POSITIVE_INFINITY } },
        reason: 'elementwise',
      }
    case 'Clip':
      return { kernel: { name: 'clip', bounds: node.attributes }, reason: 'elementwise' }
    case 'Add':
    case 'Sub':
    case 'Mul':
      if (!sameShape(x, inputs[1]!)) return undefined
      return { kernel: { name: 'combine', op: node.op }, reason: 'elementwise' }
    case 'MaxPool':
    case 'AveragePool': {
      const { kernel, strides, pads } = node.attributes
      const area = kernel[0] * kernel[1]
      const uneven =
        node.op === 'AveragePool' && !node.attributes.countIncludePad && pads.some(pad => pad > 0)
      if (area > maxWindowArea || uneven || x[0] !== 1) return undefined
      const layout = layOutWindow({ kernel, strides, dilations: [1, 1], pads }, x, output)
      const tiling = chooseTiling(layout.output[0], layout.output[1])
      const pool = node.op === 'MaxPool' ? 'max' : 'mean'
      return {
        kernel: { name: 'pool-tiles', pool, window: kernel, layout, tiling },
        reason: 'one window for all channels',
      }
    }
    case 'GlobalAveragePool':
      return rowSums(x, [2, 3], true)
    case 'ReduceMean':
    case 'ReduceSum':
      return rowSums(x, resolveAxes(node.attributes.axes, x.length, node.name), node.op === 'ReduceMean')
    default:
      return undefined
  }
}

function rowSums(x: Shape, axes: readonly number[], mean: boolean): Choice | undefined {
  const first = x.length - axes.length
  if (axes.length === 0 || axes.some(axis => axis < first)) return undefined
  const length = sizeOf(x.slice(first))
  return {
    kernel: { name: 'row-sums', length, scale: mean ? 1 / length : 1 },
    reason: 'the summed axes are the last ones',
  }
}

export const describeZeros = (count: number, total: number): string =>
  `${((100 * (total - count)) / total).toFixed(1)} % zeros`

export function countNonZeros(weight: TernaryTensor): number {
  if (weight.lists !== undefined) return weight.lists.positions.length
  const { assignment } = weight
  let count = 0
  for (let i = 0; i < assignment.length; i++) count += assignment[i] === 0 ? 0 : 1
  return count
}
