/** Batch normalization, inference and training, over all axes but 1. */
import { type Shape, sizeOf } from '../../core/index.ts'
import { float, type OnnxEmitter } from '../onnx-emitter.ts'
import type { EngineDevice } from '../types.ts'
import type { RuleTable } from './emission.ts'
import { emitOverRows, emitReduce } from './reduction.ts'

/** Sums or averages x [N, C, ...] to [C]: first inside each sample, which is contiguous, then over samples. */
function emitPerChannel(
  e: OnnxEmitter,
  opType: 'ReduceSum' | 'ReduceMean',
  x: string,
  shape: Shape,
  device: EngineDevice,
  out?: string,
) {
  const inner = shape.slice(2).map((_, axis) => axis + 2)
  const perSample = inner.length === 0 ? x : emitReduce(e, opType, x, inner, false)
  return emitOverRows(e, opType, perSample, shape.slice(0, 2), device, out)
}

/** [C] -> [C, 1, 1] for x [N, C, H, W], [C] for x [N, C]. */
function alignedShape(shape: Shape): Shape {
  return [shape[1]!, ...shape.slice(2).map(() => 1)]
}

export const normalization = {
  BatchNormalization: ({ e, names, attributes: { epsilon }, out }) =>
    e.emit('BatchNormalization', names, { epsilon: float(epsilon) }, out),

  // Elementary operators: ONNX's training mode does not run on WebGPU and its outputs alias its inputs.
  // The variance is taken around the mean, so it does not cancel for large means.
  BatchNormalizationTraining: ({ e, names, inputs, outputs, attributes: { epsilon }, device }) => {
    const [x, scale, bias] = names
    const { shape } = inputs[0]!
    const [y, mean, variance, inverseStd] = outputs.map(output => output.name) as [
      string,
      string,
      string,
      string,
    ]
    const aligned = (name: string) => e.reshape(name, alignedShape(shape))
    emitPerChannel(e, 'ReduceMean', x!, shape, device, mean)
    const centred = e.emit('Sub', [x!, aligned(mean)])
    emitPerChannel(e, 'ReduceMean', e.emit('Mul', [centred, centred]), shape, device, variance)
    e.emit('Reciprocal', [e.emit('Sqrt', [e.emit('Add', [variance, e.scalar(epsilon)])])], {}, inverseStd)
    const scaled = e.emit('Mul', [centred, aligned(e.emit('Mul', [scale!, inverseStd]))])
    e.emit('Add', [scaled, aligned(bias!)], {}, y)
  },

  // dscale = Σ dy·x̂, dbias = Σ dy, dx = scale/std · (dy − dbias/M − x̂·dscale/M) with x̂ = (x − mean)/std
  BatchNormalizationGradient: ({ e, names, inputs, outputs, device }) => {
    const [x, dy, scale, mean, inverseStd] = names
    const { shape } = inputs[0]!
    const [dx, dscale, dbias] = outputs.map(output => output.name) as [string, string, string]
    const aligned = (name: string) => e.reshape(name, alignedShape(shape))
    const centred = e.emit('Sub', [x!, aligned(mean!)])
    emitPerChannel(e, 'ReduceSum', dy!, shape, device, dbias)
    const projected = emitPerChannel(e, 'ReduceSum', e.emit('Mul', [dy!, centred]), shape, device)
    e.emit('Mul', [projected, inverseStd!], {}, dscale)
    const perElement = e.scalar(1 / (sizeOf(shape) / shape[1]!))
    const slope = e.emit('Mul', [e.emit('Mul', [dscale, inverseStd!]), perElement])
    const offset = e.emit('Mul', [dbias, perElement])
    const inner = e.emit('Sub', [
      e.emit('Sub', [dy!, e.emit('Mul', [centred, aligned(slope)])]),
      aligned(offset),
    ])
    e.emit('Mul', [inner, aligned(e.emit('Mul', [scale!, inverseStd!]))], {}, dx)
  },
} satisfies Partial<RuleTable>
