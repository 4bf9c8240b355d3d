/** Convolutions of maps with few positions as matrices: their kernel would leave lanes idle, a matrix's has outputs there. */
import type { ActivationRange, TernaryTensor } from '../../file/types.ts'
import { visitSign } from '../numbers/filter-lists.ts'
import type { Window } from '../numbers/window.ts'
import type { Shape } from '../shape.ts'
import type { LinearStep } from '../steps.ts'
import { byteRowsCost, cheaperRows } from './byte-rows.ts'
import type { ByteMatrix } from './byte-step.ts'

/** Positions of one vector: maps with as many leave no lane idle. */
const lanes = 16
/** Nanoseconds of a convolution of one vector, to compare with `byteRowsCost`. */
const convolutionNs = { weight: 0.29, filter: 6 }
/**
 * Entries of all matrices of a network. Many layers may share one tensor: without a bound a small file could ask for more
 * memory than there is before anything else is checked.
 */
export const mostMatrixEntries: number = 1 << 26

/**
 * The matrix from all numbers of the input to all of the output, where it is faster than the convolution; else undefined.
 * @param room entries that it may have
 */
export function smallMapMatrix(
  step: LinearStep,
  input: ActivationRange,
  shapes: ReadonlyMap<string, Shape>,
  room: number,
): Pick<ByteMatrix, 'layer' | 'nonZeros'> | undefined {
  const { filters, residual, bias, nonZeros } = step
  const { window, groups } = step.convolution!
  const [, channels, height, width] = shapes.get(step.input)! as readonly [number, number, number, number]
  const [, , outHeight, outWidth] = shapes.get(step.output)! as readonly [number, number, number, number]
  const positions = outHeight * outWidth
  const [inputs, outputs] = [channels * height * width, filters * positions]
  if (positions >= lanes || residual !== undefined || inputs * outputs > room) return undefined
  const taps = tapsOf(window, [height, width], [outHeight, outWidth])
  const area = window.kernel[0] * window.kernel[1]
  const seen = taps.reduce((sum, ofTap) => sum + ofTap.length, 0) / area
  const shape = { inputs, outputs, nonZeros: nonZeros * seen, max: input.max }
  const convolution = convolutionNs.weight * nonZeros + convolutionNs.filter * filters
  if (byteRowsCost(cheaperRows(shape), shape) >= convolution) return undefined

  const assignment = new Int8Array(outputs * inputs)
  let count = 0
  for (let o = 0; o < filters; o++) {
    const firstChannel = Math.floor((o * groups) / filters) * (channels / groups)
    for (const sign of [1, -1]) {
      visitSign(step.lists!, o, sign, place => {
        const channel = firstChannel + Math.floor(place / area)
        for (const { position, pixel } of taps[place % area]!) {
          assignment[(o * positions + position) * inputs + channel * height * width + pixel] = sign
          count++
        }
      })
    }
  }
  const { positive, negative } = step.weight as TernaryTensor
  const ofOutputs = (values: Float32Array): Float32Array =>
    Float32Array.from({ length: outputs }, (_, i) => values[Math.floor(i / positions)]!)
  const magnitudes = (values: Float32Array, factor: number): Float32Array =>
    (values.length === 1 ? values : ofOutputs(values)).map(value => value * factor)
  const layer = {
    assignment,
    plus: magnitudes(positive, input.scale),
    minus: magnitudes(negative, -input.scale),
    ...(bias && { bias: ofOutputs(bias) }),
    inputZero: input.zero,
  }
  return { layer, nonZeros: count }
}

/** For each position of the window the outputs that see a pixel of the map under it, and which. */
function tapsOf(
  { kernel, strides, dilations, pads }: Window,
  [height, width]: readonly [number, number],
  [outHeight, outWidth]: readonly [number, number],
): readonly (readonly { readonly position: number; readonly pixel: number }[])[] {
  return Array.from({ length: kernel[0] * kernel[1] }, (_, tap) => {
    const [ky, kx] = [Math.floor(tap / kernel[1]), tap % kernel[1]]
    const seen: { position: number; pixel: number }[] = []
    for (let position = 0; position < outHeight * outWidth; position++) {
      const y = Math.floor(position / outWidth) * strides[0] + ky * dilations[0] - pads[0]
      const x = (position % outWidth) * strides[1] + kx * dilations[1] - pads[1]
      if (y >= 0 && y < height && x >= 0 && x < width) seen.push({ position, pixel: y * width + x })
    }
    return seen
  })
}
