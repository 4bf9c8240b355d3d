/** MNIST (LeCun, Cortes, Burges): four IDX files become a data set. */
import { naming, SternaError, type Tensor } from '../core/index.ts'
import { gunzip, isGzip, readIdx } from '../formats/index.ts'
import { type Dataset, digestDataset, type LabelledImages } from './dataset.ts'
import { type NamedBytes, pairImages } from './labelled-images.ts'
import { normalizationPresets } from './normalization.ts'

/** The four files by their role. */
export const MNIST_ROLES = ['train-images', 'train-labels', 't10k-images', 't10k-labels'] as const
export type MnistRole = (typeof MNIST_ROLES)[number]

/** No MNIST file is longer than 47,040,016 bytes; anything far beyond is not MNIST. */
const MAX_FILE_BYTES = 64 * 1024 * 1024

const IMAGE_SHAPE = [1, 28, 28] as const
const CLASSES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'] as const

/** The data set of four IDX files. */
export function readMnist(files: Readonly<Record<MnistRole, NamedBytes>>): Dataset {
  const train = readPart(files['train-images'], files['train-labels'])
  const test = readPart(files['t10k-images'], files['t10k-labels'])
  return {
    name: 'mnist',
    classes: CLASSES,
    imageShape: IMAGE_SHAPE,
    normalization: normalizationPresets.mnist,
    train,
    test,
    digest: digestDataset(IMAGE_SHAPE, train, test),
  }
}

function readPart(images: NamedBytes, labels: NamedBytes): LabelledImages {
  return pairImages(
    readFile(images),
    readFile(labels),
    { imageShape: IMAGE_SHAPE.slice(1), classes: CLASSES.length },
    { images: images.name, labels: labels.name },
  )
}

function readFile({ name, bytes }: NamedBytes): Tensor<'u8'> {
  return naming(name, () => readIdx(isGzip(bytes) ? unpack(bytes) : bytes))
}

/** A file that was cut short fails in one of many ways, of which the reader of the message needs one. */
function unpack(bytes: Uint8Array): Uint8Array {
  try {
    return gunzip(bytes, { maxBytes: MAX_FILE_BYTES })
  } catch (cause) {
    if (!(cause instanceof SternaError)) throw cause
    throw new SternaError(
      'file/damaged',
      `expected a whole gzip file, found ${bytes.length} bytes that do not unpack (${cause.message})`,
      { hint: 'it was cut short or damaged: remove it and run: sterna data fetch mnist', cause },
    )
  }
}
