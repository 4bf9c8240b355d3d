/**
 * Integer arithmetic, one layer at a time: bytes q from 0 to a range's `max`, which stand for scale × (q − zero). The
 * oracle of every kernel that computes on bytes: same bytes in, same bytes out, on every machine.
 */
import type { ActivationRange } from '../../file/types.ts'
import type { ConvAttributes } from '../../operators.ts'
import type { ByteMatrixLayer } from '../../plan/integer/byte-step.ts'
import type { FilterRequantization } from '../../plan/integer/requantize.ts'
import type { Shape } from '../../plan/shape.ts'
import { conv } from './convolution.ts'

type Sizes3 = readonly [number, number, number]
type Sizes4 = readonly [number, number, number, number]

const saturate16 = (x: number): number => (x > 0x7fff ? 0x7fff : x < -0x8000 ? -0x8000 : x)
const clamp = (x: number, low: number, high: number): number => (x < low ? low : x > high ? high : x)

/** a · b / 2^15, rounded to the nearest, of two 16-bit numbers: `i16x8.q15mulr_sat_s`. */
export const multiplyRounded = (a: number, b: number): number => saturate16((a * b + 0x4000) >> 15)

/** `i16x8.add_sat_s`. */
export const addSaturated = (a: number, b: number): number => saturate16(a + b)

/** `f32.nearest`: the nearest integer, ties to the even one. */
export function nearestEven(x: number): number {
  const rounded = Math.round(x)
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

/** The byte of a number: NaN gives that of 0, what lies outside the range its nearest end. */
export function quantizeNumber(x: number, { scale, zero, max }: ActivationRange): number {
  const steps = nearestEven(Math.fround(x * Math.fround(1 / scale)))
  return Number.isNaN(steps) ? zero : clamp(steps + zero, 0, max)
}

export function quantizeBytes(x: Float32Array, range: ActivationRange): Uint8Array {
  return Uint8Array.from(x, value => quantizeNumber(value, range))
}

export function dequantizeBytes(bytes: Uint8Array, { scale, zero }: ActivationRange): Float32Array {
  return Float32Array.from(bytes, byte => scale * (byte - zero))
}

export interface ByteConvolutionLayer {
  readonly attributes: ConvAttributes
  /** −1, 0 or +1; [O, C/groups, kH, kW]. */
  readonly assignment: Int8Array
  readonly weightShape: Shape
  readonly filters: readonly FilterRequantization[]
  readonly inPart: number
  /** What a window reads outside its input. */
  readonly inputZero: number
  /** The bytes a fused Relu or Clip lets through. */
  readonly lowest: number
  readonly highest: number
  /** Added after the sums; of the output's shape. */
  readonly residual?: { readonly bytes: Uint8Array; readonly zero: number }
}

/**
 * x [C, H, W] → [O, H', W']. For each filter, with S the sums of bytes under the weights of one sign:
 *
 *     sum = (mulr(S_first, ratio) + S_second) << doublings
 *     v   = mulr(sum, multiplier) + offset [+ mulr((residual − its zero) << 7, residualMultiplier)]
 *     q   = clamp(v >> shift, lowest, highest)
 *
 * where mulr is `multiplyRounded` and additions saturate. Whoever makes the filters has seen to it that no sum leaves
 * 16 bits, by parts of at most `inPart` weights of each sign.
 */
export function convolveBytes(
  layer: ByteConvolutionLayer,
  x: Uint8Array,
  inputShape: Shape,
  outputShape: Shape,
): Uint8Array {
  const { attributes, assignment, weightShape, filters, inPart, inputZero, residual } = layer
  const { strides, dilations, pads, groups } = attributes
  const [, height, width] = inputShape as Sizes3
  const [, outHeight, outWidth] = outputShape as Sizes3
  const [, depth, kernelHeight, kernelWidth] = weightShape as Sizes4
  const output = new Uint8Array(filters.length * outHeight * outWidth)
  let position = 0
  for (const [o, filter] of filters.entries()) {
    const firstChannel = Math.floor((o * groups) / filters.length) * depth
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        const [plus, minus] = [new Float64Array(filter.parts), new Float64Array(filter.parts)]
        let [pluses, minuses] = [0, 0]
        let index = o * depth * kernelHeight * kernelWidth
        for (let c = firstChannel; c < firstChannel + depth; c++) {
          for (let ky = 0; ky < kernelHeight; ky++) {
            const y = oy * strides[0] + ky * dilations[0] - pads[0]
            for (let kx = 0; kx < kernelWidth; kx++) {
              const sign = assignment[index++]!
              if (sign === 0) continue
              const xx = ox * strides[1] + kx * dilations[1] - pads[1]
              const inside = y >= 0 && y < height && xx >= 0 && xx < width
              const byte = inside ? x[(c * height + y) * width + xx]! : inputZero
              if (sign > 0) plus[Math.floor(pluses++ / inPart)]! += byte
              else minus[Math.floor(minuses++ / inPart)]! += byte
            }
          }
        }
        const added = residual === undefined ? 0 : residual.bytes[position]! - residual.zero
        const byte = requantize(filter, plus, minus, added)
        output[position++] = clamp(byte, layer.lowest, layer.highest)
      }
    }
  }
  return output
}

/** @param plus and minus: the sums of each part */
function requantize(
  filter: FilterRequantization,
  plus: Float64Array,
  minus: Float64Array,
  residual: number,
): number {
  const [first, second] = filter.plusFirst ? [plus, minus] : [minus, plus]
  let scaled = 0
  for (let part = 0; part < filter.parts; part++) {
    const sum = addSaturated(multiplyRounded(first[part]!, filter.ratio), second[part]!)
    scaled = addSaturated(scaled, multiplyRounded(sum << filter.doublings, filter.multiplier))
  }
  const moved = addSaturated(scaled, filter.offset)
  return addSaturated(moved, multiplyRounded(residual << 7, filter.residualMultiplier)) >> filter.shift
}

/**
 * x [K] → numbers [O]. With P and N the exact sums of q − zero under the weights +1 and −1, each operation rounded to
 * float32: y = P · plus + N · minus + bias. A fused Relu or Clip, and bytes if they are asked for, come after.
 */
export function connectBytes(layer: ByteMatrixLayer, x: Uint8Array): Float32Array {
  const { assignment, plus, minus, bias, inputZero } = layer
  const output = new Float32Array(assignment.length / x.length)
  for (let o = 0; o < output.length; o++) {
    let positive = 0
    let negative = 0
    for (const [k, byte] of x.entries()) {
      const sign = assignment[o * x.length + k]!
      if (sign > 0) positive += byte - inputZero
      else if (sign < 0) negative += byte - inputZero
    }
    const products = [
      Math.fround(Math.fround(positive) * plus[o % plus.length]!),
      Math.fround(Math.fround(negative) * minus[o % minus.length]!),
    ] as const
    output[o] = Math.fround(products[0] + products[1]) + (bias?.[o] ?? 0)
  }
  return output
}

export interface DenseByteLayer {
  readonly attributes: ConvAttributes
  /** [O, C/groups, kH, kW] */
  readonly codes: Int8Array
  readonly weightShape: Shape
  /** Of each filter: its scale × the input's. */
  readonly factors: Float32Array
  /** [O] */
  readonly bias?: Float32Array
  readonly inputZero: number
}

/**
 * x [C, H, W] → numbers [O, H', W']: the exact sum of code × (q − zero), then × the filter's factor + its bias, each
 * operation rounded to float32.
 */
export function convolveDense(
  { attributes, codes, weightShape, factors, bias, inputZero }: DenseByteLayer,
  x: Uint8Array,
  inputShape: Shape,
  outputShape: Shape,
): Float32Array {
  const ones = Float32Array.from(x, byte => byte - inputZero)
  const output = {
    shape: [1, ...outputShape],
    data: new Float32Array(outputShape.reduce((a, b) => a * b, 1)),
  }
  conv(
    attributes,
    [
      { shape: [1, ...inputShape], data: ones },
      { shape: weightShape, data: Float32Array.from(codes) },
    ],
    output,
  )
  const pixels = output.data.length / factors.length
  return output.data.map((sum, i) => {
    const o = Math.floor(i / pixels)
    return Math.fround(sum * factors[o]!) + (bias?.[o] ?? 0)
  })
}

/** x [C, …] → numbers [C]: the exact sum of q − zero × (scale / count), each operation rounded to float32. */
export function averageBytes(
  x: Uint8Array,
  channels: number,
  { scale, zero }: ActivationRange,
): Float32Array {
  const count = x.length / channels
  return Float32Array.from({ length: channels }, (_, c) => {
    const sum = x.subarray(c * count, (c + 1) * count).reduce((total, byte) => total + byte - zero, 0)
    return Math.fround(sum) * Math.fround(scale / count)
  })
}
