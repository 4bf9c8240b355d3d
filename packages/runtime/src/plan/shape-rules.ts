/** One shape rule an operator: output shape from input shapes and attributes, or an error that says where. */
import { SternaError } from '../errors.ts'
import type { AveragePoolAttributes, InferenceOperatorName, InferenceOperators } from '../operators.ts'
import { planLimits } from './limits.ts'
import { type Shape, sizeOf } from './shape.ts'

export interface ShapeRule<Name extends InferenceOperatorName> {
  readonly minInputs: number
  readonly maxInputs: number
  infer(inputs: readonly Shape[], attributes: InferenceOperators[Name], where: string): Shape
}

function shapeError(where: string, expected: string, found: unknown): never {
  throw new SternaError('graph/shape', `${where}: expected ${expected}, found ${JSON.stringify(found)}`)
}

function attributeError(where: string, name: string, expected: string, found: unknown): never {
  throw new SternaError(
    'graph/attribute',
    `${where}: ${name} must be ${expected}, found ${JSON.stringify(found)}`,
  )
}

function checkIntegers(
  where: string,
  name: string,
  values: readonly number[],
  length: number | undefined,
  minimum: number,
): void {
  const valid = values.every(value => Number.isSafeInteger(value) && value >= minimum)
  if (!valid || (length !== undefined && values.length !== length)) {
    const count = length === undefined ? 'whole numbers' : `${length} whole numbers`
    attributeError(where, name, minimum === -Infinity ? count : `${count} ≥ ${minimum}`, values)
  }
}

/** A possibly negative axis as one in 0 … rank − 1. */
export function resolveAxis(axis: number, rank: number, where: string): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    attributeError(where, 'axis', `in ${-rank} … ${rank - 1}`, axis)
  }
  return axis < 0 ? axis + rank : axis
}

export function resolveAxes(axes: readonly number[], rank: number, where: string): number[] {
  const resolved = axes.map(axis => resolveAxis(axis, rank, where))
  if (new Set(resolved).size !== resolved.length) attributeError(where, 'axes', 'distinct', axes)
  return resolved
}

/** NumPy's rule: sizes are aligned at the right, and a size of 1 stretches. */
function broadcastShapes(a: Shape, b: Shape, where: string): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[a.length - rank + axis] ?? 1
    const right = b[b.length - rank + axis] ?? 1
    if (left !== right && left !== 1 && right !== 1) {
      shapeError(where, 'shapes that broadcast', [a, b])
    }
    return Math.max(left, right)
  })
}

/** What Slice takes along one axis: `count` elements from `start`, each `step` further. */
export interface SliceRange {
  readonly start: number
  readonly step: number
  readonly count: number
}

export function sliceRanges(
  shape: Shape,
  attributes: InferenceOperators['Slice'],
  where: string,
): SliceRange[] {
  const { starts, ends, axes, steps } = attributes
  checkIntegers(where, 'starts', starts, axes.length, -Infinity)
  checkIntegers(where, 'ends', ends, axes.length, -Infinity)
  checkIntegers(where, 'steps', steps, axes.length, 1)
  const ranges: SliceRange[] = shape.map(size => ({ start: 0, step: 1, count: size }))
  for (const [i, axis] of resolveAxes(axes, shape.length, where).entries()) {
    const size = shape[axis]!
    const clamp = (bound: number) => Math.min(Math.max(bound < 0 ? bound + size : bound, 0), size)
    const start = clamp(starts[i]!)
    const step = steps[i]!
    ranges[axis] = { start, step, count: Math.max(0, Math.ceil((clamp(ends[i]!) - start) / step)) }
  }
  return ranges
}

const sameAsInput = { minInputs: 1, maxInputs: 1, infer: ([x]: readonly Shape[]) => x! }
const broadcast = {
  minInputs: 2,
  maxInputs: 2,
  infer: ([a, b]: readonly Shape[], _: unknown, where: string) => broadcastShapes(a!, b!, where),
}
const alongAxis = {
  minInputs: 1,
  maxInputs: 1,
  infer([x]: readonly Shape[], { axis }: { readonly axis: number }, where: string): Shape {
    resolveAxis(axis, x!.length, where)
    return x!
  },
}
const reduce = {
  minInputs: 1,
  maxInputs: 1,
  infer([x]: readonly Shape[], attributes: InferenceOperators['ReduceSum'], where: string): Shape {
    const axes = new Set(resolveAxes(attributes.axes, x!.length, where))
    if (attributes.keepDims) return x!.map((size, axis) => (axes.has(axis) ? 1 : size))
    return x!.filter((_, axis) => !axes.has(axis))
  },
}

function expectFeatureMap(x: Shape, where: string): void {
  if (x.length !== 4) shapeError(where, 'an input [N, C, H, W]', x)
}

/** Output size of a window that slides over one padded axis. */
function slide(
  where: string,
  size: number,
  before: number,
  after: number,
  kernel: number,
  dilation: number,
  stride: number,
): number {
  const reach = (kernel - 1) * dilation + 1
  const padded = size + before + after
  if (padded < reach || padded > planLimits.dimension)
    shapeError(where, `a padded input of ${reach} to ${planLimits.dimension} positions`, padded)
  return Math.floor((padded - reach) / stride) + 1
}

const pool = {
  minInputs: 1,
  maxInputs: 1,
  infer(
    [x]: readonly Shape[],
    attributes: Omit<AveragePoolAttributes, 'countIncludePad'>,
    where: string,
  ): Shape {
    const { kernel, strides, pads } = attributes
    expectFeatureMap(x!, where)
    checkIntegers(where, 'kernel', kernel, 2, 1)
    checkIntegers(where, 'strides', strides, 2, 1)
    checkIntegers(where, 'pads', pads, 4, 0)
    // Otherwise some window would hold nothing but padding.
    if (pads.some((pad, side) => pad >= kernel[side % 2]!)) {
      attributeError(where, 'pads', `smaller than the kernel ${JSON.stringify(kernel)}`, pads)
    }
    const [n, c, h, w] = x as readonly [number, number, number, number]
    return [
      n,
      c,
      slide(where, h, pads[0], pads[2], kernel[0], 1, strides[0]),
      slide(where, w, pads[1], pads[3], kernel[1], 1, strides[1]),
    ]
  },
}

export const shapeRules: { readonly [Name in InferenceOperatorName]: ShapeRule<Name> } = {
  Conv: {
    minInputs: 2,
    maxInputs: 3,
    infer([x, weight, bias], { strides, dilations, pads, groups }, where) {
      expectFeatureMap(x!, where)
      checkIntegers(where, 'strides', strides, 2, 1)
      checkIntegers(where, 'dilations', dilations, 2, 1)
      checkIntegers(where, 'pads', pads, 4, 0)
      checkIntegers(where, 'groups', [groups], 1, 1)
      const [n, c, h, w] = x as readonly [number, number, number, number]
      if (weight!.length !== 4 || weight![1]! * groups !== c || weight![0]! % groups !== 0) {
        shapeError(where, `a weight [O, ${c}/${groups}, kH, kW] with O divisible by ${groups}`, weight)
      }
      const [o, , kh, kw] = weight as readonly [number, number, number, number]
      if (bias !== undefined && (bias.length !== 1 || bias[0] !== o)) shapeError(where, `a bias [${o}]`, bias)
      return [
        n,
        o,
        slide(where, h, pads[0], pads[2], kh, dilations[0], strides[0]),
        slide(where, w, pads[1], pads[3], kw, dilations[1], strides[1]),
      ]
    },
  },
  Gemm: {
    minInputs: 2,
    maxInputs: 3,
    infer([a, b, c], { transA, transB }, where) {
      if (a!.length !== 2 || b!.length !== 2) shapeError(where, 'two matrices', [a, b])
      const [m, k] = transA ? [a![1]!, a![0]!] : [a![0]!, a![1]!]
      const [inner, n] = transB ? [b![1]!, b![0]!] : [b![0]!, b![1]!]
      if (k !== inner) shapeError(where, 'the same inner size on both sides', [a, b])
      if (c !== undefined && (c.length > 2 || sizeOf(broadcastShapes([m, n], c, where)) !== m * n)) {
        shapeError(where, `a third input that broadcasts to [${m}, ${n}]`, c)
      }
      return [m, n]
    },
  },
  MatMul: {
    minInputs: 2,
    maxInputs: 2,
    infer([a, b], _, where) {
      if (a!.length < 2 || b!.length < 2) shapeError(where, 'two matrices or stacks of them', [a, b])
      if (a!.at(-1) !== b!.at(-2)) shapeError(where, 'the same inner size on both sides', [a, b])
      return [...broadcastShapes(a!.slice(0, -2), b!.slice(0, -2), where), a!.at(-2)!, b!.at(-1)!]
    },
  },
  BatchNormalization: {
    minInputs: 5,
    maxInputs: 5,
    infer([x, ...vectors], _, where) {
      const channels = x![1]
      for (const vector of vectors) {
        if (vector.length !== 1 || vector[0] !== channels)
          shapeError(where, `four vectors [${channels}]`, vectors)
      }
      return x!
    },
  },
  Relu: sameAsInput,
  Clip: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], { min, max }, where) {
      if (!(min <= max)) attributeError(where, 'min', `≤ max = ${max}`, min)
      return x!
    },
  },
  Sigmoid: sameAsInput,
  Tanh: sameAsInput,
  HardSigmoid: sameAsInput,
  HardSwish: sameAsInput,
  Add: broadcast,
  Sub: broadcast,
  Mul: broadcast,
  Div: broadcast,
  MaxPool: pool,
  AveragePool: pool,
  GlobalAveragePool: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], _, where) {
      expectFeatureMap(x!, where)
      return [x![0]!, x![1]!, 1, 1]
    },
  },
  ReduceMean: reduce,
  ReduceSum: reduce,
  Flatten: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], { axis }, where) {
      const split = axis === x!.length ? axis : resolveAxis(axis, x!.length, where)
      return [sizeOf(x!.slice(0, split)), sizeOf(x!.slice(split))]
    },
  },
  Reshape: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], { shape }, where) {
      checkIntegers(where, 'shape', shape, undefined, -1)
      const copied = shape.map((size, axis) => (size === 0 ? (x![axis] ?? 0) : size))
      const known = sizeOf(copied.filter(size => size !== -1))
      const unknown = copied.filter(size => size === -1).length
      const total = sizeOf(x!)
      const fits = unknown === 0 ? known === total : unknown === 1 && known > 0 && total % known === 0
      if (!fits) shapeError(where, `a shape of ${total} elements`, shape)
      return copied.map(size => (size === -1 ? total / known : size))
    },
  },
  Transpose: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], { perm }, where) {
      if (perm.length !== x!.length) attributeError(where, 'perm', `a permutation of ${x!.length} axes`, perm)
      return resolveAxes(perm, x!.length, where).map(axis => x![axis]!)
    },
  },
  Pad: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], { pads }, where) {
      const rank = x!.length
      checkIntegers(where, 'pads', pads, 2 * rank, 0)
      return x!.map((size, axis) => size + pads[axis]! + pads[rank + axis]!)
    },
  },
  Slice: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], attributes, where) => sliceRanges(x!, attributes, where).map(range => range.count),
  },
  Concat: {
    minInputs: 1,
    maxInputs: Number.POSITIVE_INFINITY,
    infer(inputs, { axis }, where) {
      const first = inputs[0]!
      const along = resolveAxis(axis, first.length, where)
      for (const shape of inputs) {
        const fits =
          shape.length === first.length && shape.every((size, i) => i === along || size === first[i])
        if (!fits) shapeError(where, `shapes that differ on axis ${along} only`, inputs)
      }
      const total = inputs.reduce((sum, shape) => sum + shape[along]!, 0)
      return first.map((size, i) => (i === along ? total : size))
    },
  },
  Squeeze: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], { axes }, where) {
      const dropped = new Set(resolveAxes(axes, x!.length, where))
      if (x!.some((size, axis) => dropped.has(axis) && size !== 1)) {
        shapeError(where, `size 1 on axes ${JSON.stringify(axes)}`, x)
      }
      return x!.filter((_, axis) => !dropped.has(axis))
    },
  },
  Unsqueeze: {
    minInputs: 1,
    maxInputs: 1,
    infer([x], { axes }, where) {
      const rank = x!.length + axes.length
      const added = new Set(resolveAxes(axes, rank, where))
      let next = 0
      return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : x![next++]!))
    },
  },
  Softmax: alongAxis,
  LogSoftmax: alongAxis,
  Dropout: sameAsInput,
  Identity: sameAsInput,
}
