/** Images for a network from a .png or .npy file. */
import path from 'node:path'
import { readFileBytes } from '../core/index.node.ts'
import { naming, SternaError, sizeOf, type Tensor } from '../core/index.ts'
import { type Normalization, normalizationTable } from '../data/index.ts'
import { type PngImage, readNpy, readPng } from '../formats/index.ts'

export interface InputImages {
  /** [count, C, H, W], as the network takes them. */
  readonly data: Float32Array
  readonly count: number
  /** Whether they were pixels, which were normalised. */
  readonly arePixels: boolean
}

/** ITU-R BT.601 luma, as PNG readers and Pillow's "L" mode weigh colours. */
const LUMA = [0.299, 0.587, 0.114] as const

/** Reads the file for a network that takes images of `imageShape` [C, H, W]. */
export function readInput(
  file: string,
  imageShape: readonly number[],
  normalization: Normalization,
): InputImages {
  const bytes = readFileBytes(file, { maxBytes: 2 ** 31 })
  switch (path.extname(file).toLowerCase()) {
    case '.png':
      return {
        data: normalize(
          planesOf(
            naming(file, () => readPng(bytes)),
            file,
            imageShape,
          ),
          imageShape,
          normalization,
        ),
        count: 1,
        arePixels: true,
      }
    case '.npy':
      return arrayInput(
        naming(file, () => readNpy(bytes)),
        file,
        imageShape,
        normalization,
      )
    default:
      throw new SternaError('usage/input', `${file}: expected a .png or .npy file`)
  }
}

/** Pixels [C, H, W] of an image that has the network's size. */
function planesOf(image: PngImage, file: string, imageShape: readonly number[]): Uint8Array {
  const [channels = 0, height = 0, width = 0] = imageShape
  if (imageShape.length !== 3 || (channels !== 1 && channels !== 3)) {
    throw new SternaError('usage/input', `${file}: the model takes [${imageShape}], which no PNG image is`)
  }
  if (image.height !== height || image.width !== width) {
    throw new SternaError(
      'usage/input',
      `${file}: the model takes images of ${width}×${height} pixels, this one has ${image.width}×${image.height}`,
      { hint: 'scale or crop it first; sterna run changes no sizes' },
    )
  }
  if (image.channels === 2 || image.channels === 4) {
    const opaque = (pixel: number) => image.data[(pixel + 1) * image.channels - 1] === 255
    for (let pixel = 0; pixel < height * width; pixel++) {
      if (opaque(pixel)) continue
      throw new SternaError('usage/input', `${file}: the image is transparent in places`, {
        hint: 'put it on a background first',
      })
    }
  }
  const isGrey = image.channels <= 2
  const planes = new Uint8Array(channels * height * width)
  for (let pixel = 0; pixel < height * width; pixel++) {
    const at = pixel * image.channels
    const colour = (channel: number) => image.data[at + (isGrey ? 0 : channel)]!
    if (channels === 3) {
      for (let channel = 0; channel < 3; channel++) planes[channel * height * width + pixel] = colour(channel)
    } else {
      planes[pixel] = isGrey
        ? colour(0)
        : Math.round(LUMA.reduce((sum, weight, channel) => sum + weight * colour(channel), 0))
    }
  }
  return planes
}

function arrayInput(
  array: Tensor,
  file: string,
  imageShape: readonly number[],
  normalization: Normalization,
): InputImages {
  const { dtype, shape } = array
  const image = imageShape.join()
  // The one channel of grey images may be left out.
  const grey = imageShape[0] === 1 ? imageShape.slice(1).join() : image
  const fits = [shape, shape.slice(1)].some(found => found.join() === image || found.join() === grey)
  const count = array.data.length / sizeOf(imageShape)
  if (!fits || count === 0) {
    throw new SternaError(
      'usage/input',
      `${file}: expected [N, ${imageShape.join(', ')}] or [${imageShape.join(', ')}], found [${shape.join(', ')}]`,
    )
  }
  switch (dtype) {
    case 'u8':
      return { data: normalize(array.data as Uint8Array, imageShape, normalization), count, arePixels: true }
    case 'f32':
      return { data: expectFinite(array.data as Float32Array, file), count, arePixels: false }
    case 'f64':
      return {
        data: expectFinite(Float32Array.from(array.data as Float64Array), file),
        count,
        arePixels: false,
      }
    default:
      throw new SternaError('usage/input', `${file}: expected f32, f64 or u8 numbers, found ${dtype}`)
  }
}

function expectFinite(data: Float32Array, file: string): Float32Array {
  const wrong = data.findIndex(value => !Number.isFinite(value))
  if (wrong < 0) return data
  throw new SternaError('usage/input', `${file}: element ${wrong} is ${data[wrong]}, expected finite numbers`)
}

/** Pixels [N, C, H, W] to numbers, by channel. */
function normalize(
  pixels: Uint8Array,
  [channels = 1, ...plane]: readonly number[],
  normalization: Normalization,
): Float32Array {
  const table = normalizationTable(normalization, channels)
  const planeSize = sizeOf(plane)
  const data = new Float32Array(pixels.length)
  for (let i = 0; i < pixels.length; i++) {
    const channel = Math.floor(i / planeSize) % channels
    data[i] = table[channel * 256 + pixels[i]!]!
  }
  return data
}
