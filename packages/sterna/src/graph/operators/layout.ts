/** Operators that move data without computing: reshape, transpose, pad, slice, concatenate. */
import type { InferenceOperators } from 'sterna-runtime'
import { type Shape, sameShape, sizeOf } from '../../core/index.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../types.ts'
import type { OperatorTable } from './entry.ts'
import { fail, normalizeAxes, normalizeAxis } from './shapes.ts'

/** Resolves 0 (copy) and −1 (infer) against the input. */
function resolveReshape(x: Shape, wanted: readonly number[], where: string): Shape {
  const size = sizeOf(x)
  const shape = wanted.map((dimension, axis) => {
    if (dimension !== 0 || size === 0) return dimension
    return x[axis] ?? fail(where, `shape [${wanted}] copies axis ${axis} of [${x}]`)
  })
  const unknown = shape.indexOf(-1)
  if (unknown !== -1) {
    const known = shape.reduce(
      (product, dimension, axis) => (axis === unknown ? product : product * dimension),
      1,
    )
    if (known < 1 || size % known !== 0) fail(where, `[${x}] does not divide into [${wanted}]`)
    shape[unknown] = size / known
  }
  if (!shape.every(dimension => Number.isInteger(dimension) && dimension >= 0) || sizeOf(shape) !== size) {
    fail(where, `[${x}] has ${size} elements, [${wanted}] does not`)
  }
  return shape
}

type SliceAttributes = InferenceOperators['Slice']

/** Start, end (exclusive) and step of every axis, clamped to the input. */
function resolveSlice(x: Shape, { starts, ends, axes, steps }: SliceAttributes, where: string) {
  if (starts.length !== axes.length || ends.length !== axes.length || steps.length !== axes.length) {
    fail(where, 'starts, ends, axes and steps must have one length')
  }
  if (![...starts, ...ends].every(Number.isInteger)) {
    fail(where, `starts and ends must be whole numbers, found [${starts}] and [${ends}]`)
  }
  const ranges = x.map(size => ({ start: 0, end: size, step: 1 }))
  normalizeAxes(axes, x.length, where)
  axes.forEach((axis, index) => {
    const at = normalizeAxis(axis, x.length, where)
    const size = x[at]!
    const clamp = (position: number) => Math.min(Math.max(position < 0 ? position + size : position, 0), size)
    const step = steps[index]!
    if (!Number.isInteger(step) || step < 1) fail(where, `steps must be at least 1, found ${step}`)
    ranges[at] = { start: clamp(starts[index]!), end: clamp(ends[index]!), step }
  })
  return ranges
}

function slicedShape(x: Shape, attributes: SliceAttributes, where: string): Shape {
  return resolveSlice(x, attributes, where).map(({ start, end, step }) =>
    Math.max(0, Math.ceil((end - start) / step)),
  )
}

function squeezed(x: Shape, axes: readonly number[], where: string): Shape {
  const normal = new Set(normalizeAxes(axes, x.length, where))
  for (const axis of normal) if (x[axis] !== 1) fail(where, `axis ${axis} of [${x}] is not 1`)
  return x.filter((_, axis) => !normal.has(axis))
}

function unsqueezed(x: Shape, axes: readonly number[], where: string): Shape {
  const rank = x.length + axes.length
  const normal = new Set(normalizeAxes(axes, rank, where))
  let next = 0
  return Array.from({ length: rank }, (_, axis) => (normal.has(axis) ? 1 : x[next++]!))
}

/** The gradient of every operator that only renames positions: back to the input's shape. */
function backToShape(b: GraphBuilder, gradient: Value, input: Value): Value {
  return b.reshape(gradient, input.shape)
}

export const layout = {
  Flatten: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { axis }, where) => {
      const at = axis === x!.length ? axis : normalizeAxis(axis, x!.length, where)
      return [[sizeOf(x!.slice(0, at)), sizeOf(x!.slice(at))]]
    },
    derive: ({ b, inputs, gradient }) => [backToShape(b, gradient, inputs[0]!)],
  },
  Reshape: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { shape }, where) => [resolveReshape(x!, shape, where)],
    derive: ({ b, inputs, gradient }) => [backToShape(b, gradient, inputs[0]!)],
  },
  Squeeze: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { axes }, where) => [squeezed(x!, axes, where)],
    derive: ({ b, inputs, gradient }) => [backToShape(b, gradient, inputs[0]!)],
  },
  Unsqueeze: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { axes }, where) => [unsqueezed(x!, axes, where)],
    derive: ({ b, inputs, gradient }) => [backToShape(b, gradient, inputs[0]!)],
  },
  Transpose: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { perm }, where) => {
      if (normalizeAxes(perm, x!.length, where).length !== x!.length) {
        fail(where, `perm [${perm}] must name every axis of [${x}]`)
      }
      return [perm.map(axis => x![axis]!)]
    },
    derive: ({ b, attributes, gradient }) => [
      b.transpose(
        gradient,
        attributes.perm.map((_, axis) => attributes.perm.indexOf(axis)),
      ),
    ],
  },
  Pad: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { pads }, where) => {
      if (pads.length !== 2 * x!.length)
        fail(where, `pads must have ${2 * x!.length} numbers, found ${pads.length}`)
      if (pads.some(pad => !Number.isInteger(pad) || pad < 0))
        fail(where, `pads must be whole numbers ≥ 0, found [${pads}]`)
      return [x!.map((size, axis) => size + pads[axis]! + pads[axis + x!.length]!)]
    },
    derive: ({ b, inputs, attributes, gradient }) => {
      const { shape } = inputs[0]!
      const starts = shape.map((_, axis) => attributes.pads[axis]!)
      return [
        b.op('Slice', [gradient], {
          starts,
          ends: shape.map((size, axis) => size + starts[axis]!),
          axes: shape.map((_, axis) => axis),
          steps: shape.map(() => 1),
        }),
      ]
    },
  },
  Slice: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], attributes, where) => [slicedShape(x!, attributes, where)],
    derive: ({ b, inputs, attributes, gradient }) => [
      b.op('SliceGradient', [gradient], { ...attributes, inputShape: inputs[0]!.shape }),
    ],
  },
  SliceGradient: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([dy], attributes, where) => {
      const expected = slicedShape(attributes.inputShape, attributes, where)
      if (!sameShape(dy!, expected)) fail(where, `dy must be [${expected}], found [${dy}]`)
      return [attributes.inputShape]
    },
  },
  Concat: {
    minInputs: 1,
    maxInputs: Number.POSITIVE_INFINITY,
    infer: (inputs, { axis }, where) => {
      const first = inputs[0]!
      const at = normalizeAxis(axis, first.length, where)
      for (const other of inputs) {
        if (other.length !== first.length || other.some((size, i) => i !== at && size !== first[i])) {
          fail(where, `[${other}] does not join [${first}] along axis ${axis}`)
        }
      }
      return [first.map((size, i) => (i === at ? inputs.reduce((sum, other) => sum + other[at]!, 0) : size))]
    },
    derive: ({ b, inputs, attributes, gradient, wanted }) => {
      const axis = normalizeAxis(attributes.axis, inputs[0]!.shape.length, 'Concat')
      let start = 0
      return inputs.map((input, index) => {
        const end = start + input.shape[axis]!
        const slice = { starts: [start], ends: [end], axes: [axis], steps: [1] }
        start = end
        return wanted(index) ? b.op('Slice', [gradient], slice) : undefined
      })
    },
  },
} satisfies Partial<OperatorTable>
