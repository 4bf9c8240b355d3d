/** Puts an image tensor and a label tensor together after checking that they fit. */
import { SternaError, type Tensor } from '../core/index.ts'
import type { LabelledImages } from './dataset.ts'

/** A file's bytes, plain or gzip, and the name that messages use. */
export interface NamedBytes {
  readonly name: string
  readonly bytes: Uint8Array
}

/**
 * Images [count, …] and labels [count] as one part of a data set. `where` names the files in messages.
 */
export function pairImages(
  images: Tensor<'u8'>,
  labels: Tensor<'u8'>,
  expected: { readonly imageShape: readonly number[]; readonly classes: number },
  where: { readonly images: string; readonly labels: string },
): LabelledImages {
  const [count = 0, ...shape] = images.shape
  if (
    shape.length !== expected.imageShape.length ||
    shape.some((size, axis) => size !== expected.imageShape[axis])
  ) {
    throw new SternaError(
      'data/invalid',
      `${where.images}: expected images of [N,${expected.imageShape}], found [${images.shape}]`,
    )
  }
  if (count === 0) throw new SternaError('data/invalid', `${where.images}: expected images, found none`)
  if (labels.shape.length !== 1) {
    throw new SternaError('data/invalid', `${where.labels}: expected labels of [N], found [${labels.shape}]`)
  }
  if (labels.shape[0] !== count) {
    throw new SternaError(
      'data/invalid',
      `${where.labels}: expected ${count} labels for the images of ${where.images}, found ${labels.shape[0]}`,
    )
  }
  const wrong = labels.data.findIndex(label => label >= expected.classes)
  if (wrong >= 0) {
    throw new SternaError(
      'data/invalid',
      `${where.labels}: expected labels from 0 to ${expected.classes - 1}, found ${labels.data[wrong]} at position ${wrong}`,
    )
  }
  return { images: images.data, labels: labels.data, count }
}
