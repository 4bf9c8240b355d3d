/** Which layers integer arithmetic can compute, and with which numbers. */
import type { ActivationRange, Int8Tensor, TernaryTensor } from '../../file/types.ts'
import type { Shape } from '../shape.ts'
import type { Bounds, LinearStep } from '../steps.ts'
import type { ByteConvolution, ByteDense, ByteMatrixLayer } from './byte-step.ts'
import { type FilterRequantization, maxCount, requantizeFilter } from './requantize.ts'

/** Beyond this many positions a window's taps are not worth a plane each. */
export const largestWindow = 1024

type Ranges = ReadonlyMap<string, ActivationRange>

/** The numbers a convolution on bytes works with, or why it has to be computed in numbers. */
export function convolutionFits(
  step: LinearStep,
  ranges: Ranges,
): Pick<ByteConvolution, 'filters' | 'inPart' | 'lowest' | 'highest'> | string {
  const problem = structureProblem(step)
  if (problem !== undefined) return problem
  const input = ranges.get(step.input)
  const output = ranges.get(step.output)
  if (input === undefined) return 'the file has no range for its input'
  if (output === undefined) return 'the file has no range for its output'
  const residual = step.residual === undefined ? undefined : ranges.get(step.residual)
  if (step.residual !== undefined && residual === undefined) return 'the file has no range for what is added'

  const { positive, negative } = step.weight as TernaryTensor
  const { ends } = step.lists!
  const filters: FilterRequantization[] = []
  for (let o = 0, start = 0; o < step.filters; o++) {
    const [middle, end] = [ends[2 * o]!, ends[2 * o + 1]!]
    const numbers = {
      plus: middle - start,
      minus: end - middle,
      positive: positive[positive.length === 1 ? 0 : o]!,
      negative: negative[negative.length === 1 ? 0 : o]!,
      bias: step.bias === undefined ? 0 : step.bias[o]!,
    }
    const filter = requantizeFilter(numbers, input, output, residual)
    if (filter === undefined) return `the scales of filter ${o} lie too far apart`
    filters.push(filter)
    start = end
  }
  return { filters, inPart: maxCount(input), ...bytesOfBounds(step.bounds, output) }
}

/** The matrix a fully connected layer multiplies bytes with, or why it has to be computed in numbers. */
export function matrixFits(step: LinearStep, ranges: Ranges): ByteMatrixLayer | string {
  const problem = structureProblem(step)
  if (problem !== undefined) return problem
  const input = ranges.get(step.input)
  if (input === undefined) return 'the file has no range for its input'
  const { filters, depth, filtersFirst, alpha, bias } = step
  const { assignment, positive, negative } = step.weight as TernaryTensor
  const byOutput = filtersFirst ? assignment : transposed(assignment, filters, depth)
  const factor = alpha * input.scale
  return {
    assignment: byOutput,
    plus: positive.map(magnitude => magnitude * factor),
    minus: negative.map(magnitude => -magnitude * factor),
    ...(bias && { bias }),
    inputZero: input.zero,
  }
}

/** Of tensors that lie the other way round; layers may share one. */
const transposes = new WeakMap<Int8Array, Int8Array>()

function transposed(assignment: Int8Array, filters: number, depth: number): Int8Array {
  const known = transposes.get(assignment)
  if (known !== undefined) return known
  const turned = Int8Array.from(
    assignment,
    (_, i) => assignment[(i % depth) * filters + Math.floor(i / depth)]!,
  )
  transposes.set(assignment, turned)
  return turned
}

/** More weights than this could sum up to more than 32 bits. */
const mostDenseWeights = 1 << 15
/** Outputs of one tile; smaller maps leave lanes idle. */
export const denseTile = 16

/** Whether a layer that is not ternary can run on bytes, whatever the ranges. */
export function isByteDense({ weight, convolution, residual, depth }: LinearStep, output: Shape): boolean {
  if (
    weight.kind !== 'dense' ||
    weight.storage !== 'i8' ||
    convolution === undefined ||
    residual !== undefined
  )
    return false
  const [height, width] = convolution.window.kernel
  return (
    convolution.groups === 1 &&
    height * width <= largestWindow &&
    depth <= mostDenseWeights &&
    output[2]! * output[3]! >= denseTile
  )
}

/** The numbers a convolution with 8-bit weights works with on bytes, or undefined. */
export function denseFits(
  step: LinearStep,
  ranges: Ranges,
  output: Shape,
): Pick<ByteDense, 'codes' | 'factors'> | undefined {
  const input = ranges.get(step.input)
  if (input === undefined || !ranges.has(step.output) || !isByteDense(step, output)) return undefined
  const { codes, scale } = step.weight as Int8Tensor
  return { codes, factors: scale.map(factor => factor * input.scale) }
}

/** Why a ternary layer cannot run on bytes whatever the ranges, or undefined. */
export function structureProblem(step: LinearStep): string | undefined {
  const { convolution, filtersFirst, weight } = step
  if (convolution === undefined) {
    const { positive, negative } = weight as TernaryTensor
    if (step.rows > 1) return 'a matrix times several vectors'
    if (step.residual !== undefined) return 'something is added to a fully connected layer'
    if (!filtersFirst && positive.length + negative.length > 2)
      return 'the magnitudes differ along the inputs'
    return undefined
  }
  const [height, width] = convolution.window.kernel
  if (height * width > largestWindow) return `a window of more than ${largestWindow} positions`
  return undefined
}

/** The bytes that a fused Relu or Clip lets through. */
function bytesOfBounds(bounds: Bounds | undefined, { scale, zero, max }: ActivationRange) {
  const byteOf = (x: number): number => Math.min(max, Math.max(0, Math.round(x / scale) + zero))
  return { lowest: byteOf(bounds?.min ?? -Infinity), highest: byteOf(bounds?.max ?? Infinity) }
}
