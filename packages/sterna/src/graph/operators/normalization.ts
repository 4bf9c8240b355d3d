/** Batch normalization, in inference and in training. */
import { type Shape, sameShape } from '../../core/index.ts'
import type { OperatorTable } from './entry.ts'
import { fail } from './shapes.ts'

function expectChannels(x: Shape | undefined, others: readonly (Shape | undefined)[], where: string): number {
  if (x === undefined || x.length < 2)
    fail(where, `input must have at least 2 dimensions, found [${x ?? []}]`)
  const channels = x[1]!
  for (const other of others) {
    if (other !== undefined && !sameShape(other, [channels])) {
      fail(where, `expected per-channel tensors of [${channels}], found [${other}]`)
    }
  }
  return channels
}

export const normalization = {
  // Statistics are constants here: gradients flow to x, scale and bias only.
  BatchNormalization: {
    minInputs: 5,
    maxInputs: 5,
    infer: ([x, ...rest], { epsilon }, where) => {
      expectChannels(x, rest, where)
      if (!(epsilon > 0)) fail(where, `epsilon must be positive, found ${epsilon}`)
      return [x!]
    },
    derive: ({ b, inputs, attributes, gradient, wanted }) => {
      const [x, scale, , mean, variance] = inputs
      const perChannel = x!.shape.map((size, axis) => (axis === 1 ? size : 1))
      const axes = x!.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]))
      const inverseStd = b.reciprocal(b.sqrt(b.add(variance!, attributes.epsilon)))
      return [
        wanted(0) ? b.mul(gradient, b.reshape(b.mul(scale!, inverseStd), perChannel)) : undefined,
        wanted(1)
          ? b.mul(b.sum(b.mul(gradient, b.sub(x!, b.reshape(mean!, perChannel))), axes), inverseStd)
          : undefined,
        wanted(2) ? b.sum(gradient, axes) : undefined,
        undefined,
        undefined,
      ]
    },
  },
  // The derivative runs through mean and variance as functions of x; as outputs they pass no gradient on.
  BatchNormalizationTraining: {
    minInputs: 3,
    maxInputs: 3,
    infer: ([x, scale, bias], { epsilon }, where) => {
      const channels = expectChannels(x, [scale, bias], where)
      if (!(epsilon > 0)) fail(where, `epsilon must be positive, found ${epsilon}`)
      return [x!, [channels], [channels], [channels]]
    },
    derive: ({ b, inputs, outputs, gradient }) => {
      const [x, scale] = inputs
      return b.opAll('BatchNormalizationGradient', [x!, gradient, scale!, outputs[1]!, outputs[3]!], {})
    },
  },
  BatchNormalizationGradient: {
    minInputs: 5,
    maxInputs: 5,
    infer: ([x, dy, ...rest], _, where) => {
      const channels = expectChannels(x, rest, where)
      if (!sameShape(x!, dy!)) fail(where, `dy must be [${x}], found [${dy}]`)
      return [x!, [channels], [channels]]
    },
  },
} satisfies Partial<OperatorTable>
