/** Matrix products. */
import { type Shape, sameShape } from '../../core/index.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../types.ts'
import type { OperatorTable } from './entry.ts'
import { broadcast, expectRank, fail, sumTo } from './shapes.ts'

const plainGemm = { alpha: 1, beta: 1, transA: false, transB: false }

function swapLast(b: GraphBuilder, value: Value): Value {
  const rank = value.shape.length
  const perm = value.shape.map((_, axis) =>
    axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis,
  )
  return b.transpose(value, perm)
}

function matMulOutput(left: Shape, right: Shape, where: string): Shape {
  if (left.length < 2 || right.length < 2) {
    fail(where, `both inputs need at least 2 dimensions, found [${left}] and [${right}]`)
  }
  if (left.at(-1) !== right.at(-2)) fail(where, `inner sizes differ: [${left}] × [${right}]`)
  return [...broadcast(left.slice(0, -2), right.slice(0, -2), where), left.at(-2)!, right.at(-1)!]
}

export const linear = {
  Dot: {
    minInputs: 2,
    maxInputs: 2,
    infer: ([x, y], _, where) =>
      sameShape(x!, y!) ? [[]] : fail(where, `expected two inputs of one shape, found [${x}] and [${y}]`),
  },
  // y = alpha·op(a)·op(b) + beta·c
  Gemm: {
    minInputs: 2,
    maxInputs: 3,
    infer: ([left, right, bias], { transA, transB }, where) => {
      const [a0, a1] = expectRank(left, 2, where, 'a') as [number, number]
      const [b0, b1] = expectRank(right, 2, where, 'b') as [number, number]
      const [rows, innerA] = transA ? [a1, a0] : [a0, a1]
      const [innerB, columns] = transB ? [b1, b0] : [b0, b1]
      if (innerA !== innerB) fail(where, `inner sizes differ: a gives ${innerA}, b gives ${innerB}`)
      const output = [rows, columns]
      if (bias !== undefined && !sameShape(broadcast(bias, output, where), output)) {
        fail(where, `c [${bias}] does not broadcast to [${output}]`)
      }
      return [output]
    },
    derive: ({ b, inputs, attributes, gradient, wanted }) => {
      const [left, right, bias] = inputs as readonly [Value, Value, Value?]
      const { alpha, beta, transA, transB } = attributes
      const product = (x: Value, y: Value, transX: boolean, transY: boolean) =>
        b.op('Gemm', [x, y], { ...plainGemm, alpha, transA: transX, transB: transY })
      return [
        wanted(0)
          ? transA
            ? product(right, gradient, transB, true)
            : product(gradient, right, false, !transB)
          : undefined,
        wanted(1)
          ? transB
            ? product(gradient, left, true, transA)
            : product(left, gradient, !transA, false)
          : undefined,
        bias !== undefined && wanted(2)
          ? sumTo(b, beta === 1 ? gradient : b.mul(gradient, beta), bias.shape)
          : undefined,
      ]
    },
  },
  MatMul: {
    minInputs: 2,
    maxInputs: 2,
    infer: ([left, right], _, where) => [matMulOutput(left!, right!, where)],
    derive: ({ b, inputs, gradient, wanted }) => {
      const [left, right] = inputs as readonly [Value, Value]
      return [
        wanted(0) ? sumTo(b, b.matMul(gradient, swapLast(b, right)), left.shape) : undefined,
        wanted(1) ? sumTo(b, b.matMul(swapLast(b, left), gradient), right.shape) : undefined,
      ]
    },
  },
} satisfies Partial<OperatorTable>
