/**
 * Gradients of pooling, one axis after the other. What each kernel position of all windows receives is one
 * plane; planes whose positions are congruent modulo the stride overlap and are added, the others
 * interleave. Slices, pads and concatenations only, so all of it runs on every device.
 */
import type { Shape } from '../../core/index.ts'
import { int, ints, type OnnxEmitter } from '../onnx-emitter.ts'
import { emitIsNotNegative } from './elementwise.ts'
import type { Emission } from './emission.ts'
import { emitPad, emitSlice } from './layout.ts'

/** Lower than any float32 that a network computes, yet finite: differences with it stay numbers. */
const paddingValue = -1e38

/** Windows along one axis of a tensor of rank 4. */
interface AxisWindows {
  readonly axis: number
  readonly kernel: number
  readonly stride: number
  readonly before: number
  readonly after: number
}

interface Pooling {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  readonly pads: readonly [number, number, number, number]
}

/** Of the rows (0) or the columns (1), which lie along `axis`. */
function along(at: 0 | 1, axis: number, { kernel, strides, pads }: Pooling): AxisWindows {
  return { axis, kernel: kernel[at]!, stride: strides[at]!, before: pads[at]!, after: pads[at + 2]! }
}

function replaced(shape: Shape, axis: number, size: number): Shape {
  return shape.map((length, at) => (at === axis ? size : length))
}

/** [begins, ends] that pad one axis of a feature map. */
function padsAlong(axis: number, before: number, after: number): readonly number[] {
  return [...replaced([0, 0, 0, 0], axis, before), ...replaced([0, 0, 0, 0], axis, after)]
}

/** Where rows and columns of a feature map lie in a tensor of rank 4. */
type SpatialAxes = readonly [rows: number, columns: number]

export interface MaxGradients {
  readonly x: string
  readonly shape: Shape
  /** x pooled along its rows' columns only. */
  readonly rowMaxima: string
  readonly y: string
  readonly dy: string
  readonly pooled: Shape
  readonly axes: SpatialAxes
  readonly attributes: Pooling
  /**
   * For rows and columns: where windows are pairs beside each other, the first of a pair minus the second, in the shape
   * of the maxima; without it the first is compared with the maximum.
   */
  readonly differences?: readonly [rows: string | undefined, columns: string | undefined]
}

export function emitMaxPoolGradient({
  e,
  names,
  inputs,
  attributes,
  out,
}: Emission<'MaxPoolGradient'>): void {
  const [x, y, dy] = names as [string, string, string]
  const { shape } = inputs[0]!
  const pooled = inputs[1]!.shape
  const columns = along(1, 3, attributes)
  const rowMaxima = e.emit('MaxPool', [x], {
    kernel_shape: ints([1, columns.kernel]),
    strides: ints([1, columns.stride]),
    pads: ints([0, columns.before, 0, columns.after]),
  })
  emitMaxGradients(e, { x, shape, rowMaxima, y, dy, pooled, axes: [2, 3], attributes }, out)
}

/**
 * dx of MaxPool: dy goes to the first maximum of each window in row-major order. That is the first row that
 * holds the maximum, and in it the first column that holds the row's, so the axes separate.
 */
export function emitMaxGradients(e: OnnxEmitter, gradients: MaxGradients, out?: string): string {
  const { x, shape, rowMaxima, y, dy, pooled, axes, attributes, differences = [] } = gradients
  const rows = along(0, axes[0], attributes)
  const columns = along(1, axes[1], attributes)
  const rowShape = replaced(shape, axes[1], pooled[axes[1]]!)
  const [rowDifference, columnDifference] = differences
  const toRows =
    rowDifference === undefined
      ? emitMaxGradient(e, rowMaxima, rowShape, y, dy, pooled, rows)
      : emitPairGradient(e, rowDifference, dy, pooled, rows, rowShape[axes[0]]!)
  return columnDifference === undefined
    ? emitMaxGradient(e, x, shape, rowMaxima, toRows, rowShape, columns, out)
    : emitPairGradient(e, columnDifference, toRows, rowShape, columns, shape[axes[1]]!, out)
}

/** The first of a pair receives the gradient where it is not the smaller one. */
function emitPairGradient(
  e: OnnxEmitter,
  difference: string,
  gradient: string,
  pooled: Shape,
  windows: AxisWindows,
  size: number,
  out?: string,
): string {
  const taken = e.emit('Mul', [emitIsNotNegative(e, difference), gradient])
  return emitScatter(e, [taken, e.emit('Sub', [gradient, taken])], pooled, windows, size, out)
}

function emitMaxGradient(
  e: OnnxEmitter,
  x: string,
  shape: Shape,
  maxima: string,
  gradient: string,
  pooled: Shape,
  windows: AxisWindows,
  out?: string,
): string {
  const { axis, kernel, stride, before, after } = windows
  const padded = emitPad(e, x, padsAlong(axis, before, after), paddingValue)
  const planes: string[] = []
  // What no position has taken yet; the last position gets what is left.
  let rest = gradient
  for (let i = 0; i < kernel - 1; i++) {
    const end = i + (pooled[axis]! - 1) * stride + 1
    const candidate = emitSlice(e, padded, [axis], [i], [end], [stride])
    const isMaximum = emitIsNotNegative(e, e.emit('Sub', [candidate, maxima]))
    const taken = e.emit('Mul', [isMaximum, rest])
    rest = e.emit('Sub', [rest, taken])
    planes.push(taken)
  }
  planes.push(rest)
  return emitScatter(e, planes, pooled, windows, shape[axis]!, out)
}

export interface AverageGradient {
  readonly dy: string
  readonly shape: Shape
  readonly axes: SpatialAxes
  readonly attributes: Pooling & { readonly countIncludePad: boolean }
  /** Rows and columns of the input. */
  readonly size: readonly [number, number]
}

/** dx of AveragePool: each window spreads dy over its positions. */
export function emitAveragePoolGradient(
  e: OnnxEmitter,
  { dy, shape, axes, attributes, size }: AverageGradient,
  out?: string,
): string {
  const windows = ([0, 1] as const).map(at => along(at, axes[at], attributes)) as [AxisWindows, AxisWindows]
  const counts = windows.map(({ axis, kernel, stride, before }, at) =>
    Array.from({ length: shape[axis]! }, (_, position) => {
      if (attributes.countIncludePad) return kernel
      const start = position * stride - before
      return Math.min(start + kernel, size[at]!) - Math.max(start, 0)
    }),
  ) as [number[], number[]]
  const [rows, columns] = counts
  const uniform = counts.every(count => count.every(value => value === count[0]))
  const behind = shape.slice(axes[1] + 1).map(() => 1)
  const share = uniform
    ? e.scalar(1 / (rows[0]! * columns[0]!))
    : e.floats(
        rows.flatMap(row => columns.map(column => 1 / (row * column))),
        [rows.length, columns.length, ...behind],
      )
  const plane = e.emit('Mul', [dy, share])
  const copies = (name: string, { kernel }: AxisWindows) => Array.from({ length: kernel }, () => name)
  const [vertical, horizontal] = windows
  const spread = emitScatter(e, copies(plane, vertical), shape, vertical, size[0])
  const spreadShape = replaced(shape, vertical.axis, size[0])
  return emitScatter(e, copies(spread, horizontal), spreadShape, horizontal, size[1], out)
}

/** Adds element k of plane i, [N, C, ..], at position i + stride·k − before of an axis of length `size`. */
function emitScatter(
  e: OnnxEmitter,
  planes: readonly string[],
  shape: Shape,
  { axis, stride, before }: AxisWindows,
  size: number,
  out?: string,
): string {
  const shifts = Math.ceil(planes.length / stride)
  const shiftedShape = replaced(shape, axis, shape[axis]! + shifts - 1)
  const phases: string[] = []
  for (let phase = 0; phase < stride; phase++) {
    let sum: string | undefined
    for (let shift = 0; phase + shift * stride < planes.length; shift++) {
      const plane = planes[phase + shift * stride]!
      const moved = emitPad(e, plane, padsAlong(axis, shift, shifts - 1 - shift))
      sum = sum === undefined ? moved : e.emit('Add', [sum, moved])
    }
    phases.push(sum ?? e.emit('Expand', [e.scalar(0), e.integers(shiftedShape)]))
  }
  const interleaved = emitInterleave(e, phases, shiftedShape, axis)
  const length = shiftedShape[axis]! * stride
  // A negative pad crops what lies in the padding or beyond the last input position.
  return emitPad(e, interleaved, padsAlong(axis, -before, size - length + before), 0, out)
}

function emitInterleave(e: OnnxEmitter, phases: readonly string[], shape: Shape, axis: number): string {
  if (phases.length === 1) return phases[0]!
  const split = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]
  const stacked = e.emit(
    'Concat',
    phases.map(phase => e.reshape(phase, split)),
    { axis: int(axis + 1) },
  )
  return e.reshape(stacked, replaced(shape, axis, shape[axis]! * phases.length))
}
