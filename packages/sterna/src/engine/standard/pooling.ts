/** Pooling and the gradients of its input. */
import { int, ints } from '../onnx-emitter.ts'
import type { RuleTable } from './emission.ts'
import { emitAveragePoolGradient, emitMaxPoolGradient } from './pool-gradient.ts'

export const pooling = {
  MaxPool: ({ e, names, attributes: { kernel, strides, pads }, out }) =>
    e.emit('MaxPool', names, { kernel_shape: ints(kernel), strides: ints(strides), pads: ints(pads) }, out),
  AveragePool: ({ e, names, attributes: { kernel, strides, pads, countIncludePad }, out }) =>
    e.emit(
      'AveragePool',
      names,
      {
        kernel_shape: ints(kernel),
        strides: ints(strides),
        pads: ints(pads),
        count_include_pad: int(countIncludePad ? 1 : 0),
      },
      out,
    ),
  GlobalAveragePool: ({ e, names, out }) => e.emit('GlobalAveragePool', names, {}, out),
  MaxPoolGradient: emitMaxPoolGradient,
  AveragePoolGradient: ({ e, names, inputs, attributes, out }) => {
    const [, , height, width] = attributes.inputShape as [number, number, number, number]
    const { shape } = inputs[0]!
    emitAveragePoolGradient(e, { dy: names[0]!, shape, axes: [2, 3], attributes, size: [height, width] }, out)
  },
} satisfies Partial<RuleTable>
