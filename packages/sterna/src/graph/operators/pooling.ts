/** Pooling and its derivatives; 2-D, NCHW. */
import type { PoolAttributes } from 'sterna-runtime'
import { type Shape, sameShape } from '../../core/index.ts'
import type { OperatorTable } from './entry.ts'
import { expectRank, expectWindow, fail, windowOutput } from './shapes.ts'

function poolOutput(x: Shape | undefined, { kernel, strides, pads }: PoolAttributes, where: string): Shape {
  const [n, c, h, w] = expectRank(x, 4, where, 'input') as [number, number, number, number]
  expectWindow({ kernel, strides }, pads, where)
  if (pads[0] >= kernel[0] || pads[2] >= kernel[0] || pads[1] >= kernel[1] || pads[3] >= kernel[1]) {
    fail(where, `pads [${pads}] must be smaller than the kernel [${kernel}]`)
  }
  return [
    n,
    c,
    windowOutput(h, kernel[0], strides[0], pads[0] + pads[2], 1, where),
    windowOutput(w, kernel[1], strides[1], pads[1] + pads[3], 1, where),
  ]
}

export const pooling = {
  MaxPool: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], attributes, where) => [poolOutput(x, attributes, where)],
    derive: ({ b, inputs, outputs, attributes, gradient }) => [
      b.op('MaxPoolGradient', [inputs[0]!, outputs[0]!, gradient], attributes),
    ],
  },
  AveragePool: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], attributes, where) => [poolOutput(x, attributes, where)],
    derive: ({ b, inputs, attributes, gradient }) => [
      b.op('AveragePoolGradient', [gradient], { ...attributes, inputShape: inputs[0]!.shape }),
    ],
  },
  GlobalAveragePool: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([x], _, where) => {
      const [n, c] = expectRank(x, 4, where, 'input') as [number, number]
      return [[n, c, 1, 1]]
    },
    derive: ({ b, inputs, gradient }) => {
      const { shape } = inputs[0]!
      return [b.expand(b.mul(gradient, 1 / (shape[2]! * shape[3]!)), shape)]
    },
  },
  MaxPoolGradient: {
    minInputs: 3,
    maxInputs: 3,
    infer: ([x, y, dy], attributes, where) => {
      const expected = poolOutput(x, attributes, where)
      if (!sameShape(y!, expected) || !sameShape(dy!, expected)) {
        fail(where, `y and dy must be [${expected}], found [${y}] and [${dy}]`)
      }
      return [x!]
    },
  },
  AveragePoolGradient: {
    minInputs: 1,
    maxInputs: 1,
    infer: ([dy], attributes, where) => {
      const expected = poolOutput(attributes.inputShape, attributes, where)
      if (!sameShape(dy!, expected)) fail(where, `dy must be [${expected}], found [${dy}]`)
      return [attributes.inputShape]
    },
  },
} satisfies Partial<OperatorTable>
