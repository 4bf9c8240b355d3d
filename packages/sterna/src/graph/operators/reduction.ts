/** Reductions, expansion, softmax and the ordering operators. */

import type { ReduceAttributes } from 'sterna-runtime'
import { type Shape, sameShape } from '../../core/index.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../types.ts'
import type { OperatorTable } from './entry.ts'
import { broadcast, expectRank, fail, normalizeAxes, normalizeAxis, sumTo } from './shapes.ts'

function reduced(x: Shape, { axes, keepDims }: ReduceAttributes, where: string): Shape {
  const normal = new Set(normalizeAxes(axes, x.length, where))
  return x.flatMap((size, axis) => (normal.has(axis) ? (keepDims ? [1] : []) : [size]))
}

/** The input's shape with reduced axes kept as 1. */
function keptShape(x: Shape, axes: readonly number[]): Shape {
  const normal = new Set(normalizeAxes(axes, x.length, 'reduce'))
  return x.map((size, axis) => (normal.has(axis) ? 1 : size))
}

function spread(b: GraphBuilder, gradient: Value, x: Value, axes: readonly number[]): Value {
  const kept = keptShape(x.shape, axes)
  const aligned = sameShape(gradient.shape, kept) ? gradient : b.reshape(gradient, kept)
  return sameShape(kept, x.shape) ? aligned : b.expand(aligned, x.shape)
}

const reduce = {
  minInputs: 1,
  maxInputs: 1,
  infer: ([x]: readonly Shape[], attributes: ReduceAttributes, where: string) => [
    reduced(x!, attributes, where),
  ],
}

const softmax = {
  minInputs: 1,
  maxInputs: 1,
  infer: ([x]: readonly Shape[], { axis }: { readonly axis: number }, where: string) => {
    normalizeAxis(axis, x!.length, where)
    return [x!]
  },
}

export const reduction = {
  ReduceSum: {
    ...reduce,
    derive: ({ b, inputs, attributes, gradient }) => [spread(b, gradient, inputs[0]!, attributes.axes)],
  },
  ReduceMean: {
    ...reduce,
    derive: ({ b, inputs, outputs, attributes, gradient }) => {
      const x = inputs[0]!
      const count = x.shape.reduce((a, c) => a * c, 1) / outputs[0]!.shape.reduce((a, c) => a * c, 1)
      return [spread(b, b.mul(gradient, 1 / count), x, attributes.axes)]
    },
  },
  ReduceMin: reduce,
  ReduceMax: reduce,
  Expand: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], { shape }, where) => {
      if (!sameShape(broadcast(x!, shape, where), shape)) fail(where, `[${x}] does not expand to [${shape}]`)
      return [shape]
    },
    derive: ({ b, inputs, gradient }) => [sumTo(b, gradient, inputs[0]!.shape)],
  },
  // dx = y·(dy − Σ dy·y)
  Softmax: {
    ...softmax,
    derive: ({ b, outputs, attributes, gradient }) => {
      const y = outputs[0]!
      const weighted = b.mul(gradient, y)
      return [b.sub(weighted, b.mul(y, b.sum(weighted, [attributes.axis], true)))]
    },
  },
  // dx = dy − exp(y)·Σ dy
  LogSoftmax: {
    ...softmax,
    derive: ({ b, outputs, attributes, gradient }) => [
      b.sub(gradient, b.mul(b.exp(outputs[0]!), b.sum(gradient, [attributes.axis], true))),
    ],
  },
  SortDescending: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], _, where) => [expectRank(x, 1, where, 'input')],
  },
  CumulativeSum: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], _, where) => [expectRank(x, 1, where, 'input')],
  },
  TakeAtMaximum: {
    minInputs: 2,
    maxInputs: 2,
    infer: ([values, key], _, where) => {
      if (!sameShape(expectRank(values, 1, where, 'values'), key!)) {
        fail(where, `values [${values}] and key [${key}] must have one length`)
      }
      return [[]]
    },
  },
} satisfies Partial<OperatorTable>
