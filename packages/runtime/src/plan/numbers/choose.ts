/** Which of the common kernels computes a step in numbers, and why. */
import type { PackedNode } from '../../file/types.ts'
import type { Choice } from '../kernel.ts'
import { isMoving, movementOf } from '../moves.ts'
import { poolsPairs, poolsPairsReason } from '../pair-pooling.ts'
import { type Shape, sameShape, sizeOf } from '../shape.ts'
import { resolveAxes } from '../shape-rules.ts'
import type { LinearStep, NodeStep } from '../steps.ts'
import { chooseLinear } from './choose-linear.ts'
import { chooseTiling } from './tile.ts'
import { layOutWindow } from './window.ts'

/** Beyond this a window's offsets are not worth a list. */
const maxWindowArea = 1 << 16

/** Undefined where the kernel is one of `plan/general`. */
export const chooseNumberKernel = (
  step: LinearStep | NodeStep,
  shapes: ReadonlyMap<string, Shape>,
): Choice | undefined => (step.kind === 'linear' ? chooseLinear(step, shapes) : chooseNode(step.node, shapes))

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
      if (node.op === 'MaxPool' && poolsPairs(node.attributes, output)) {
        return { kernel: { name: 'pool-pairs' }, reason: poolsPairsReason }
      }
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
