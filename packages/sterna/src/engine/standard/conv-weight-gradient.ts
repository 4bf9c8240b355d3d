/** The gradient of a convolution's weight. */
import type { Shape } from '../../core/index.ts'
import { int } from '../onnx-emitter.ts'
import type { Emission } from './emission.ts'
import { emitPad, emitSlice } from './layout.ts'

/**
 * dW as a matrix product: the windows of x, one slice per kernel position, against dy.
 * x [N, C, H, W], dy [N, O, h, w] -> [O, C/groups, kH, kW].
 */
export function emitConvWeightGradient({
  e,
  names: [x, dy],
  inputs,
  attributes,
  out,
}: Emission<'ConvWeightGradient'>): void {
  const { weightShape, strides, dilations, pads, groups } = attributes
  const [n] = inputs[0]!.shape as [number]
  const [, o, h, w] = inputs[1]!.shape as [number, number, number, number]
  const [, cPerGroup, kh, kw] = weightShape as [number, number, number, number]
  const padded = emitPad(e, x!, [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]])
  const windows: string[] = []
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const start = [i * dilations[0], j * dilations[1]] as const
      const end = [start[0] + (h - 1) * strides[0] + 1, start[1] + (w - 1) * strides[1] + 1]
      windows.push(emitSlice(e, padded, [2, 3], start, end, strides))
    }
  }
  const positions = kh * kw
  // [N, positions·C, h, w] -> [N, positions, groups, C/groups, h·w] -> [N, groups, positions·C/groups, h·w]
  const stacked = windows.length === 1 ? windows[0]! : e.emit('Concat', windows, { axis: int(1) })
  const split = e.reshape(stacked, [n, positions, groups, cPerGroup, h * w])
  const columns = e.reshape(e.transpose(split, [0, 2, 4, 1, 3]), [n, groups, h * w, positions * cPerGroup])
  const rows = e.reshape(dy!, [n, groups, o / groups, h * w])
  const products = e.emit('MatMul', [rows, columns])
  const summed = e.emit('ReduceSum', [products, e.integers([0])], { keepdims: int(0) })
  const shape: Shape = [o, positions, cPerGroup]
  e.reshape(e.transpose(e.reshape(summed, shape), [0, 2, 1]), weightShape, out)
}
