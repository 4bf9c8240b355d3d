/** Convolution and the gradient of its input. */
import type { ConvAttributes } from 'sterna-runtime'
import type { Shape } from '../../core/index.ts'
import { int, ints, type OnnxAttributes } from '../onnx-emitter.ts'
import { emitConvWeightGradient } from './conv-weight-gradient.ts'
import type { RuleTable } from './emission.ts'
import { emitSlice } from './layout.ts'

export function convAttributes(
  { strides, dilations, pads, groups }: ConvAttributes,
  weight: Shape,
): OnnxAttributes {
  return {
    kernel_shape: ints(weight.slice(2)),
    strides: ints(strides),
    dilations: ints(dilations),
    pads: ints(pads),
    group: int(groups),
  }
}

export const convolution = {
  Conv: ({ e, names, inputs, attributes, out }) =>
    e.emit('Conv', names, convAttributes(attributes, inputs[1]!.shape), out),
  ConvInputGradient: ({ e, names, inputs, attributes, device, out }) => {
    const { inputShape, strides, dilations, pads, groups } = attributes
    const [dy, weight] = inputs.map(input => input.shape) as [Shape, Shape]
    // Rows of the input that no window reaches when the stride does not divide evenly.
    const rest = [0, 1].map(axis => {
      const extent = dilations[axis]! * (weight[axis + 2]! - 1) + 1
      const covered = (dy[axis + 2]! - 1) * strides[axis]! + extent - pads[axis]! - pads[axis + 2]!
      return inputShape[axis + 2]! - covered
    })
    const settings = { ...convAttributes(attributes, weight), output_padding: ints(rest) }
    const filters = weight[0]! / groups
    if (device !== 'webgpu' || weight[1] !== 1 || filters === 1) {
      e.emit('ConvTranspose', names, settings, out)
      return
    }
    // ONNX Runtime 1.30's WebGPU shader is wrong where filters share one input channel: one filter at a time.
    const parts = Array.from({ length: filters }, (_, filter) =>
      e.emit(
        'ConvTranspose',
        names.map((name, index) => emitSlice(e, name, [1 - index], [filter], [weight[0]!], [filters])),
        settings,
      ),
    )
    const last = parts.pop()!
    e.emit('Add', [parts.reduce((sum, part) => e.emit('Add', [sum, part])), last], {}, out)
  },
  ConvWeightGradient: emitConvWeightGradient,
} satisfies Partial<RuleTable>
