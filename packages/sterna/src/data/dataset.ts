/** What a labelled image set is: 8-bit pixels, one class number per image, and how to normalise them. */
import { digestBytes } from './digest.ts'
import type { Normalization } from './normalization.ts'

/** Images of one part of a data set, as they lie in its files. */
export interface LabelledImages {
  /** [count, C, H, W], pixels 0–255. */
  readonly images: Uint8Array
  /** [count], class numbers. */
  readonly labels: Uint8Array
  readonly count: number
}

/** [C, H, W]. */
export type ImageShape = readonly [channels: number, height: number, width: number]

export interface Dataset {
  readonly name: string
  /** The name of class k at index k. */
  readonly classes: readonly string[]
  readonly imageShape: ImageShape
  /** What models trained on this set expect, unless a model says otherwise. */
  readonly normalization: Normalization
  readonly train: LabelledImages
  readonly test: LabelledImages
  /** 16 hex digits over every pixel and label: two sets with the same digest are the same data. */
  readonly digest: string
}

export type Split = 'train' | 'validation' | 'test'

/** Some of a part's images, by index; the pixels are not copied. */
export interface ImageView {
  readonly source: LabelledImages
  /** [count], positions in `source`. */
  readonly indices: Uint32Array
  readonly count: number
}

/** All images of a part, in their order. */
export function viewAll(source: LabelledImages): ImageView {
  const indices = new Uint32Array(source.count)
  for (let i = 0; i < indices.length; i++) indices[i] = i
  return { source, indices, count: source.count }
}

/** The digest of a data set's content. */
export function digestDataset(imageShape: ImageShape, train: LabelledImages, test: LabelledImages): string {
  const shape = new Uint8Array(Int32Array.from(imageShape).buffer)
  return digestBytes([shape, train.labels, train.images, test.labels, test.images])
}
