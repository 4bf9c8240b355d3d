/** Convolution and the two operators of its derivative; 2-D, NCHW. */
import type { ConvAttributes } from 'sterna-runtime'
import { type Shape, sameShape } from '../../core/index.ts'
import type { OperatorTable } from './entry.ts'
import { expectRank, expectWindow, fail, windowOutput } from './shapes.ts'

/** [N, C, H, W] and [O, C/groups, kH, kW] -> [N, O, H', W']. */
function convOutput(
  x: Shape | undefined,
  weight: Shape | undefined,
  attributes: ConvAttributes,
  where: string,
): Shape {
  const [n, c, h, w] = expectRank(x, 4, where, 'input') as [number, number, number, number]
  const [o, cPerGroup, kh, kw] = expectRank(weight, 4, where, 'weight') as [number, number, number, number]
  const { strides, dilations, pads, groups } = attributes
  expectWindow({ kernel: [kh, kw], strides, dilations }, pads, where)
  if (!(groups >= 1) || c % groups !== 0 || o % groups !== 0) {
    fail(where, `${groups} groups do not divide ${c} input and ${o} output channels`)
  }
  if (cPerGroup * groups !== c) {
    fail(where, `weight expects ${cPerGroup * groups} input channels, input has ${c}`)
  }
  return [
    n,
    o,
    windowOutput(h, kh, strides[0], pads[0] + pads[2], dilations[0], where),
    windowOutput(w, kw, strides[1], pads[1] + pads[3], dilations[1], where),
  ]
}

export const convolution = {
  Conv: {
    minInputs: 2,
    maxInputs: 3,
    infer: ([x, weight, bias], attributes, where) => {
      const output = convOutput(x, weight, attributes, where)
      if (bias !== undefined && !sameShape(bias, [output[1]!])) {
        fail(where, `bias must be [${output[1]}], found [${bias}]`)
      }
      return [output]
    },
    derive: ({ b, inputs, attributes, gradient, wanted }) => {
      const [x, weight, bias] = inputs
      return [
        wanted(0)
          ? b.op('ConvInputGradient', [gradient, weight!], { ...attributes, inputShape: x!.shape })
          : undefined,
        wanted(1)
          ? b.op('ConvWeightGradient', [x!, gradient], { ...attributes, weightShape: weight!.shape })
          : undefined,
        bias !== undefined && wanted(2) ? b.sum(gradient, [0, 2, 3]) : undefined,
      ]
    },
  },
  ConvInputGradient: {
    minInputs: 2,
    maxInputs: 2,
    infer: ([dy, weight], attributes, where) => {
      const expected = convOutput(attributes.inputShape, weight, attributes, where)
      if (!sameShape(dy!, expected)) fail(where, `dy must be [${expected}], found [${dy}]`)
      return [attributes.inputShape]
    },
  },
  ConvWeightGradient: {
    minInputs: 2,
    maxInputs: 2,
    infer: ([x, dy], attributes, where) => {
      const expected = convOutput(x, attributes.weightShape, attributes, where)
      if (!sameShape(dy!, expected)) fail(where, `dy must be [${expected}], found [${dy}]`)
      return [attributes.weightShape]
    },
  },
} satisfies Partial<OperatorTable>
