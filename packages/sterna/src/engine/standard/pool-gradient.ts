/**
 * Gradients of pooling. What each kernel position (i, j) of all windows receives is one plane
 * [N, C, h, w]; planes whose positions are congruent modulo the stride overlap and are added, the others
 * interleave. Slices, pads and concatenations only, so both run on every device.
 */
import type { PoolAttributes } from 'sterna-runtime'
import type { Shape } from '../../core/index.ts'
import { int, type OnnxEmitter } from '../onnx-emitter.ts'
import { emitIsZero } from './elementwise.ts'
import type { Emission } from './emission.ts'
import { emitPad, emitSlice } from './layout.ts'

/** Lower than any float32 that a network computes, yet finite: differences with it stay numbers. */
const paddingValue = -1e38

/** dx of MaxPool: dy goes to the first maximum of each window, in row-major order. */
export function emitMaxPoolGradient({
  e,
  names,
  inputs,
  attributes,
  out,
}: Emission<'MaxPoolGradient'>): void {
  const [x, y, dy] = names as [string, string, string]
  const { kernel, strides, pads } = attributes
  const inputShape = inputs[0]!.shape
  const [, , h, w] = inputs[1]!.shape as [number, number, number, number]
  const padded = emitPad(e, x, [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]], paddingValue)
  const positions = kernel[0] * kernel[1]
  const planes: string[][] = []
  let taken: string | undefined
  for (let i = 0; i < kernel[0]; i++) {
    const row: string[] = []
    for (let j = 0; j < kernel[1]; j++) {
      const ends = [i + (h - 1) * strides[0] + 1, j + (w - 1) * strides[1] + 1]
      const window = emitSlice(e, padded, [2, 3], [i, j], ends, strides)
      const isMaximum = emitIsZero(e, e.emit('Sub', [window, y]))
      const isFirst: string =
        taken === undefined ? isMaximum : e.emit('Relu', [e.emit('Sub', [isMaximum, taken])])
      if (i * kernel[1] + j < positions - 1) {
        taken = taken === undefined ? isFirst : e.emit('Add', [taken, isFirst])
      }
      row.push(e.emit('Mul', [isFirst, dy]))
    }
    planes.push(row)
  }
  emitScatter(e, planes, [h, w], attributes, inputShape, out)
}

/** dx of AveragePool: each window spreads dy over its positions. */
export function emitAveragePoolGradient({
  e,
  names,
  inputs,
  attributes,
  out,
}: Emission<'AveragePoolGradient'>): void {
  const { kernel, strides, pads, countIncludePad, inputShape } = attributes
  const [, , h, w] = inputs[0]!.shape as [number, number, number, number]
  const counted = (axis: 0 | 1, size: number) =>
    Array.from({ length: size }, (_, at) => {
      if (countIncludePad) return kernel[axis]
      const start = at * strides[axis] - pads[axis]
      return Math.min(start + kernel[axis], inputShape[axis + 2]!) - Math.max(start, 0)
    })
  const rows = counted(0, h)
  const columns = counted(1, w)
  const uniform = rows.every(count => count === rows[0]) && columns.every(count => count === columns[0])
  const share = uniform
    ? e.scalar(1 / (rows[0]! * columns[0]!))
    : e.floats(
        rows.flatMap(row => columns.map(column => 1 / (row * column))),
        [h, w],
      )
  const plane = e.emit('Mul', [names[0]!, share])
  const planes = Array.from({ length: kernel[0] }, () => Array.from({ length: kernel[1] }, () => plane))
  emitScatter(e, planes, [h, w], attributes, inputShape, out)
}

/** Adds plane (i, j) at the positions i + stride·row − pad, j + stride·column − pad of the input. */
function emitScatter(
  e: OnnxEmitter,
  planes: readonly (readonly string[])[],
  size: readonly [number, number],
  { kernel, strides, pads }: PoolAttributes,
  inputShape: Shape,
  out: string,
): void {
  const [n, c] = inputShape as [number, number]
  const lead: Shape = [n, c]
  const columnSize = size[1] + Math.ceil(kernel[1] / strides[1]) - 1
  const rows = planes.map(row => emitInterleave(e, row, [...lead, ...size], 3, strides[1]))
  const rowShape = [...lead, size[0], columnSize * strides[1]]
  const spread = emitInterleave(e, rows, rowShape, 2, strides[0])
  const rowSize = size[0] + Math.ceil(kernel[0] / strides[0]) - 1
  const spreadShape = [...lead, rowSize * strides[0], columnSize * strides[1]]
  const begins = [0, 0, -pads[0], -pads[1]]
  const ends = inputShape.map((length, axis) => length - spreadShape[axis]! - begins[axis]!)
  if ([...begins, ...ends].every(pad => pad === 0)) e.emit('Identity', [spread], {}, out)
  else emitPad(e, spread, [...begins, ...ends], 0, out)
}

/**
 * Planes of `shape`, plane i shifted by i along `axis` after every element has been moved stride apart:
 * the length of the axis becomes stride · (length + ⌈planes/stride⌉ − 1).
 */
function emitInterleave(
  e: OnnxEmitter,
  planes: readonly string[],
  shape: Shape,
  axis: number,
  stride: number,
): string {
  const shifts = Math.ceil(planes.length / stride)
  const paddedShape = shape.map((length, at) => (at === axis ? length + shifts - 1 : length))
  const phases: string[] = []
  for (let phase = 0; phase < stride; phase++) {
    let sum: string | undefined
    for (let shift = 0; phase + shift * stride < planes.length; shift++) {
      const begins = shape.map((_, at) => (at === axis ? shift : 0))
      const ends = shape.map((_, at) => (at === axis ? shifts - 1 - shift : 0))
      const moved = emitPad(e, planes[phase + shift * stride]!, [...begins, ...ends])
      sum = sum === undefined ? moved : e.emit('Add', [sum, moved])
    }
    phases.push(sum ?? e.emit('Expand', [e.scalar(0), e.integers(paddedShape)]))
  }
  if (stride === 1) return phases[0]!
  const split = [...paddedShape.slice(0, axis + 1), 1, ...paddedShape.slice(axis + 1)]
  const stacked = e.emit(
    'Concat',
    phases.map(phase => e.reshape(phase, split)),
    { axis: int(axis + 1) },
  )
  return e.reshape(
    stacked,
    paddedShape.map((length, at) => (at === axis ? length * stride : length)),
  )
}
