/** Splits a data set's training part into training and validation images, the same share of every class. */
import { Random, SternaError } from '../core/index.ts'
import { type Dataset, type ImageView, type LabelledImages, viewAll } from './dataset.ts'

export interface SplitOptions {
  /** How many training images to hold out; 0 for none. */
  readonly validation: number
  readonly seed: number
}

export interface DatasetSplit {
  readonly train: ImageView
  readonly validation: ImageView
  readonly test: ImageView
}

/**
 * Index views of the three parts. Every class gives its share of the validation images, rounded by
 * largest remainder, chosen by `seed` alone; both lists are in ascending order and share no image.
 */
export function splitDataset(dataset: Dataset, { validation, seed }: SplitOptions): DatasetSplit {
  const { train } = dataset
  if (!Number.isInteger(validation) || validation < 0 || validation >= train.count) {
    throw new SternaError(
      'usage/option',
      `validation split: expected a whole number from 0 to ${train.count - 1}, found ${validation}`,
    )
  }
  const held = chooseStratified(train, dataset.classes.length, validation, seed)
  const trainIndices = new Uint32Array(train.count - validation)
  const validationIndices = new Uint32Array(validation)
  let kept = 0
  let out = 0
  for (let index = 0; index < train.count; index++) {
    if (held[index] === 1) validationIndices[out++] = index
    else trainIndices[kept++] = index
  }
  return {
    train: { source: train, indices: trainIndices, count: kept },
    validation: { source: train, indices: validationIndices, count: out },
    test: viewAll(dataset.test),
  }
}

/** 1 for each chosen image, 0 for the others. */
function chooseStratified(part: LabelledImages, classes: number, wanted: number, seed: number): Uint8Array {
  const members: number[][] = Array.from({ length: classes }, () => [])
  for (let index = 0; index < part.count; index++) members[part.labels[index]!]!.push(index)
  const shares = members.map((list, label) => {
    const exact = (list.length * wanted) / part.count
    return { label, take: Math.floor(exact), remainder: exact - Math.floor(exact) }
  })
  let missing = wanted - shares.reduce((sum, share) => sum + share.take, 0)
  for (const share of [...shares].sort((a, b) => b.remainder - a.remainder || a.label - b.label)) {
    if (missing === 0) break
    share.take++
    missing--
  }
  const chosen = new Uint8Array(part.count)
  const random = new Random(seed).fork('split')
  for (const { label, take } of shares) {
    const list = random.fork(label).shuffle(members[label]!)
    for (let i = 0; i < take; i++) chosen[list[i]!] = 1
  }
  return chosen
}
