/**
 * The gradient of a convolution's weight, in the formulation that is fastest for the shape. All of them sum
 * dW[o, c, i, j] = Σ dy[n, o, y, x] · x[n, c, y·stride + i·dilation, x·stride + j·dilation] over n, y and x.
 */
import type { ConvAttributes } from 'sterna-runtime'
import type { Shape } from '../../core/index.ts'
import { int, ints, type OnnxEmitter } from '../onnx-emitter.ts'
import type { Emission } from './emission.ts'
import { emitConcat, emitPad, emitSlice, mostConcatInputs } from './layout.ts'
import { emitReduce } from './reduction.ts'

interface Sizes {
  readonly n: number
  /** Of the input. */
  readonly c: number
  readonly height: number
  readonly width: number
  /** Of dy. */
  readonly o: number
  readonly h: number
  readonly w: number
  readonly kh: number
  readonly kw: number
}

/** x [N, C, H, W], dy [N, O, h, w] -> [O, C/groups, kH, kW]. */
export function emitConvWeightGradient(emission: Emission<'ConvWeightGradient'>): void {
  const { attributes, inputs, device } = emission
  const [n, c, height, width] = inputs[0]!.shape as [number, number, number, number]
  const [, o, h, w] = inputs[1]!.shape as [number, number, number, number]
  const [, , kh, kw] = attributes.weightShape as [number, number, number, number]
  const sizes = { n, c, height, width, o, h, w, kh, kw }
  const { groups } = attributes
  if (device === 'webgpu') stackedWindows(emission, sizes)
  else if (c / groups <= 2 && groups > 1) swappedConvolution(emission, sizes)
  else if (groups > 1) stackedWindows(emission, sizes)
  else if (c < 8) {
    if (c > 1 && kh * kw >= 25) swappedConvolution(emission, sizes)
    else stackedWindows(emission, sizes)
  } else if (o >= h * w) productPerPosition(emission, sizes)
  else batchedProductPerPosition(emission, sizes)
}

/** For every kernel position, row by row: the elements of x [.., .., H, W] it meets, [.., .., h, w]. */
function windows(
  e: OnnxEmitter,
  x: string,
  sizes: Sizes,
  { strides, dilations, pads }: ConvAttributes,
): string[] {
  const { h, w, kh, kw } = sizes
  const padded = emitPad(e, x, [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]])
  const slices: string[] = []
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const start = [i * dilations[0], j * dilations[1]] as const
      const end = [start[0] + (h - 1) * strides[0] + 1, start[1] + (w - 1) * strides[1] + 1]
      slices.push(emitSlice(e, padded, [2, 3], start, end, strides))
    }
  }
  return slices
}

/** All windows in one matrix: few input channels, or groups. */
function stackedWindows(emission: Emission<'ConvWeightGradient'>, sizes: Sizes): void {
  const { e, names, attributes, device, out } = emission
  const { groups, weightShape } = attributes
  const { n, c, o, h, w, kh, kw } = sizes
  // With groups in front: [N, groups, C/groups, h·w] each, [N, groups, positions·C/groups, h·w] stacked.
  const lead: Shape = groups === 1 ? [n] : [n, groups]
  const parts = windows(e, names[0]!, sizes, attributes).map(window =>
    groups === 1 ? window : e.reshape(window, [...lead, c / groups, h * w]),
  )
  const stacked = emitConcat(e, parts, lead.length, mostConcatInputs(device))
  const columns = e.reshape(stacked, [...lead, (kh * kw * c) / groups, h * w])
  const rows = e.reshape(names[1]!, [...lead, o / groups, h * w])
  const sum = emitReduce(e, 'ReduceSum', timesTransposed(e, rows, columns, lead.length), [0], false)
  const perPosition = e.reshape(sum, [o, kh * kw, c / groups])
  e.reshape(e.transpose(perPosition, [0, 2, 1]), weightShape, out)
}

/** One product for each position and sample, summed: large images. */
function batchedProductPerPosition(emission: Emission<'ConvWeightGradient'>, sizes: Sizes): void {
  const { e, names, attributes, device, out } = emission
  const { n, c, o, h, w } = sizes
  const rows = e.reshape(names[1]!, [n, o, h * w])
  const parts = windows(e, names[0]!, sizes, attributes).map(window => {
    const products = timesTransposed(e, rows, e.reshape(window, [n, c, h * w]), 1)
    return e.reshape(emitReduce(e, 'ReduceSum', products, [0], false), [o, c, 1])
  })
  e.reshape(emitConcat(e, parts, 2, mostConcatInputs(device)), attributes.weightShape, out)
}

/**
 * One product for each position, the sum over samples inside it: small images with many channels. Columns
 * are cut out once and rows from them, which copies longer runs (LeNet-5's second layer: a fifth faster).
 */
function productPerPosition(emission: Emission<'ConvWeightGradient'>, sizes: Sizes): void {
  const { e, names, attributes, device, out } = emission
  const { strides, dilations, pads, weightShape } = attributes
  const { n, c, o, h, w, kh, kw } = sizes
  const samplesInside = (name: string) => e.transpose(name, [1, 0, 2, 3])
  const rows = e.reshape(samplesInside(names[1]!), [o, n * h * w])
  const x = emitPad(e, samplesInside(names[0]!), [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]])
  const cut = (image: string, axis: 2 | 3, at: number, length: number) => {
    const start = at * dilations[axis - 2]!
    const stride = strides[axis - 2]!
    return emitSlice(e, image, [axis], [start], [start + (length - 1) * stride + 1], [stride])
  }
  const columns = Array.from({ length: kw }, (_, j) => cut(x, 3, j, w))
  const parts: string[] = []
  for (let i = 0; i < kh; i++) {
    for (const column of columns) {
      const window = e.reshape(cut(column, 2, i, h), [c, n * h * w])
      parts.push(e.reshape(timesTransposed(e, rows, window, 0), [o, c, 1]))
    }
  }
  e.reshape(emitConcat(e, parts, 2, mostConcatInputs(device)), weightShape, out)
}

/**
 * A convolution of x with dy as the filter, samples and channels exchanged: big kernels on few channels,
 * depthwise layers. The stride of the layer is the dilation here and the other way round.
 */
function swappedConvolution(emission: Emission<'ConvWeightGradient'>, sizes: Sizes): void {
  const { e, names, attributes, out } = emission
  const { strides, dilations, pads, groups, weightShape } = attributes
  const { n, c, height, width, h, w, kh, kw } = sizes
  const grouped = e.reshape(names[0]!, [n, groups, c / groups, height, width])
  // [C/groups, groups·N, H, W] and [O, N, h, w] -> [C/groups, O, ≥ kH, ≥ kW]
  const x = e.reshape(e.transpose(grouped, [2, 1, 0, 3, 4]), [c / groups, groups * n, height, width])
  const dy = e.transpose(names[1]!, [1, 0, 2, 3])
  const full = e.emit('Conv', [x, dy], {
    kernel_shape: ints([h, w]),
    strides: ints(dilations),
    dilations: ints(strides),
    pads: ints(pads),
    group: int(groups),
  })
  const size = [height, width].map((length, axis) => {
    const extent = ([h, w][axis]! - 1) * strides[axis]! + 1
    return Math.floor((length + pads[axis]! + pads[axis + 2]! - extent) / dilations[axis]!) + 1
  })
  // Where the stride does not divide evenly the last rows belong to no weight.
  const exact = size[0] === kh && size[1] === kw ? full : emitSlice(e, full, [2, 3], [0, 0], [kh, kw], [1, 1])
  e.reshape(e.transpose(exact, [1, 0, 2, 3]), weightShape, out)
}

/** a · bᵀ over the last two axes; the engine fuses the transposition into the product. */
function timesTransposed(e: OnnxEmitter, a: string, b: string, batchAxes: number): string {
  const batch = Array.from({ length: batchAxes }, (_, axis) => axis)
  return e.emit('MatMul', [a, e.transpose(b, [...batch, batchAxes + 1, batchAxes])])
}
