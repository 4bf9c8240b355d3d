/** The gradient of a convolution's weight. */
import { int } from '../onnx-emitter.ts'
import type { Emission } from './emission.ts'
import { emitPad, emitSlice } from './layout.ts'

/**
 * dW as one matrix product a group: the windows of x, one slice per kernel position, against dy, with samples
 * and positions of the map together as the inner dimension. Channels lead, so that the windows need no
 * transpose of their own (the costliest pass otherwise).
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
  const channelsFirst = e.transpose(padded, [1, 0, 2, 3])
  const windows: string[] = []
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const start = [i * dilations[0], j * dilations[1]] as const
      const end = [start[0] + (h - 1) * strides[0] + 1, start[1] + (w - 1) * strides[1] + 1]
      const window = emitSlice(e, channelsFirst, [2, 3], start, end, strides)
      windows.push(e.reshape(window, [groups, 1, cPerGroup, n * h * w]))
    }
  }
  const positions = kh * kw
  const stacked = windows.length === 1 ? windows[0]! : e.emit('Concat', windows, { axis: int(1) })
  if (groups === 1) {
    const columns = e.reshape(stacked, [positions * cPerGroup, n * h * w])
    const rows = e.reshape(e.transpose(dy!, [1, 0, 2, 3]), [o, n * h * w])
    const product = e.emit('Gemm', [rows, columns], { transB: int(1) })
    e.reshape(e.transpose(e.reshape(product, [o, positions, cPerGroup]), [0, 2, 1]), weightShape, out)
    return
  }
  const columns = e.reshape(stacked, [groups, positions * cPerGroup, n * h * w])
  const split = e.reshape(dy!, [n, groups, o / groups, h * w])
  const rows = e.reshape(e.transpose(split, [1, 0, 3, 2]), [groups, n * h * w, o / groups])
  const products = e.reshape(e.emit('MatMul', [columns, rows]), [groups, positions, cPerGroup, o / groups])
  e.reshape(e.transpose(products, [0, 3, 2, 1]), weightShape, out)
}
