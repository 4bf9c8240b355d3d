/** Operators that compute nothing: some only rename, and Transpose, Slice, Pad and Concat are strided copies. */
import type { PackedNode } from '../file/types.ts'
import type { InferenceOperators } from '../operators.ts'
import { type Shape, stridesOf } from './shape.ts'
import { resolveAxes, resolveAxis, sliceRanges } from './shape-rules.ts'

/** Operators that only give the shape another name. */
export const isAlias = ({ op }: PackedNode): boolean =>
  op === 'Flatten' ||
  op === 'Reshape' ||
  op === 'Squeeze' ||
  op === 'Unsqueeze' ||
  op === 'Dropout' ||
  op === 'Identity'

/** Copies `shape` elements; both sides have a first element and one stride an axis, in elements. */
export interface Move {
  readonly input: number
  readonly shape: Shape
  readonly source: { readonly start: number; readonly strides: readonly number[] }
  readonly target: { readonly start: number; readonly strides: readonly number[] }
}

export interface Movement {
  /** What the output holds where no move writes; absent when the moves cover it. */
  readonly fill?: number
  readonly moves: readonly Move[]
}

const movingOperators = ['Transpose', 'Slice', 'Pad', 'Concat'] as const
/** What of a node says how numbers move. */
export type MovingNode = {
  [Op in (typeof movingOperators)[number]]: { readonly op: Op; readonly attributes: InferenceOperators[Op] }
}[(typeof movingOperators)[number]]

export const isMoving = (node: PackedNode): node is PackedNode & MovingNode =>
  (movingOperators as readonly string[]).includes(node.op)

/** All of a value as it lies. */
export function wholeMovement(size: number): Movement {
  const whole = { start: 0, strides: [1] }
  return { moves: [{ input: 0, shape: [size], source: whole, target: whole }] }
}

/** How far apart neighbours along each axis of a node's values lie. */
export interface MovementStrides {
  readonly inputs: readonly (readonly number[])[]
  readonly output: readonly number[]
}

/** The copies a checked node stands for; values lie in row-major order unless other strides are given. */
export function movementOf(
  node: MovingNode,
  inputs: readonly Shape[],
  output: Shape,
  along: MovementStrides = { inputs: inputs.map(stridesOf), output: stridesOf(output) },
): Movement {
  const x = inputs[0]!
  const strides = along.inputs[0]!
  const whole = { start: 0, strides: along.output }
  switch (node.op) {
    case 'Transpose': {
      const source = resolveAxes(node.attributes.perm, x.length, node.op).map(axis => strides[axis]!)
      return {
        moves: [{ input: 0, shape: output, source: { start: 0, strides: source }, target: whole }],
      }
    }
    case 'Slice': {
      const ranges = sliceRanges(x, node.attributes, node.op)
      const source = {
        start: ranges.reduce((start, range, axis) => start + range.start * strides[axis]!, 0),
        strides: ranges.map((range, axis) => range.step * strides[axis]!),
      }
      return { moves: [{ input: 0, shape: output, source, target: whole }] }
    }
    case 'Pad': {
      const target = {
        start: x.reduce((start, _, axis) => start + node.attributes.pads[axis]! * whole.strides[axis]!, 0),
        strides: whole.strides,
      }
      const moves = [{ input: 0, shape: x, source: { start: 0, strides }, target }]
      return { fill: node.attributes.value, moves }
    }
    case 'Concat': {
      const axis = resolveAxis(node.attributes.axis, output.length, node.op)
      let position = 0
      const moves = inputs.map((shape, input) => {
        const target = { start: position * whole.strides[axis]!, strides: whole.strides }
        position += shape[axis]!
        return { input, shape, source: { start: 0, strides: along.inputs[input]! }, target }
      })
      return { moves }
    }
    default:
      return node satisfies never
  }
}
