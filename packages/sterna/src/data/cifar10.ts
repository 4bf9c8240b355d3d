/** CIFAR-10, binary version (Krizhevsky, 2009): six batch files become a data set. */
import { naming, SternaError } from '../core/index.ts'
import { readCifar10Batch } from '../formats/index.ts'
import { type Dataset, digestDataset, type LabelledImages } from './dataset.ts'
import type { NamedBytes } from './labelled-images.ts'
import { normalizationPresets } from './normalization.ts'

export const CIFAR10_TRAIN_FILES = [1, 2, 3, 4, 5].map(number => `data_batch_${number}.bin`)
export const CIFAR10_TEST_FILE = 'test_batch.bin'

/** The images of one file, which messages name. */
export interface Cifar10Part extends LabelledImages {
  readonly name: string
}

const IMAGE_SHAPE = [3, 32, 32] as const
const CLASSES = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
] as const

/** One batch file: 10,000 records in the published set, any whole number here. */
export function readCifar10Part({ name, bytes }: NamedBytes): Cifar10Part {
  const { images, labels } = naming(name, () => readCifar10Batch(bytes))
  return { name, images: images.data, labels: labels.data, count: labels.data.length }
}

/** The data set of the training batches, in their order, and the test batch. */
export function assembleCifar10(trainParts: readonly Cifar10Part[], test: Cifar10Part): Dataset {
  const train = joinParts(trainParts)
  return {
    name: 'cifar10',
    classes: CLASSES,
    imageShape: IMAGE_SHAPE,
    normalization: normalizationPresets.cifar10,
    train,
    test,
    digest: digestDataset(IMAGE_SHAPE, train, test),
  }
}

function joinParts(parts: readonly Cifar10Part[]): LabelledImages {
  const perFile = parts[0]?.count ?? 0
  for (const part of parts) {
    if (part.count !== perFile) {
      throw new SternaError(
        'data/invalid',
        `${part.name}: expected ${perFile} images as in ${parts[0]?.name}, found ${part.count}`,
      )
    }
  }
  const imageSize = IMAGE_SHAPE[0] * IMAGE_SHAPE[1] * IMAGE_SHAPE[2]
  const images = new Uint8Array(parts.length * perFile * imageSize)
  const labels = new Uint8Array(parts.length * perFile)
  for (const [i, part] of parts.entries()) {
    images.set(part.images, i * perFile * imageSize)
    labels.set(part.labels, i * perFile)
  }
  return { images, labels, count: labels.length }
}
