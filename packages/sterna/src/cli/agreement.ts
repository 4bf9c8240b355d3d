/** Whether two packed networks answer alike on the same images. */
import type { Dataset, ImageView } from '../data/index.ts'
import { formatCount } from '../report/index.ts'
import { evaluate, type Predictor } from '../train/index.ts'
import { expectImages } from './expect-images.ts'
import type { PackedSource } from './load-model.ts'
import { chooseNormalization } from './normalization-options.ts'
import type { Output } from './output.ts'
import { openPredictor } from './predictors.ts'

export interface Agreement {
  readonly samples: number
  /** Images to which both give the same class. */
  readonly equal: number
  /** Fractions. */
  readonly accuracy: readonly [before: number, after: number]
  /** Of any logit of any image; absent where the numbers of classes differ. */
  readonly largestDifference?: number
  readonly engine: string
}

interface Answers {
  readonly accuracy: number
  readonly predictions: Uint8Array
  readonly logits: readonly Float32Array[]
  readonly engine: string
}

const batchSize = 250

/** Each network sees the images normalised as its own file says, else as suits the data set. */
export async function measureAgreement(
  output: Output,
  before: PackedSource,
  after: PackedSource,
  dataset: Dataset,
  images: ImageView,
): Promise<Agreement> {
  const one = await answer(output, before, dataset, images)
  const other = await answer(output, after, dataset, images)
  const equal = one.predictions.reduce(
    (count, predicted, index) => count + (predicted === other.predictions[index] ? 1 : 0),
    0,
  )
  const isComparable = one.logits.every((logits, batch) => logits.length === other.logits[batch]!.length)
  return {
    samples: images.count,
    equal,
    accuracy: [one.accuracy, other.accuracy],
    ...(isComparable && { largestDifference: largestDifference(one.logits, other.logits) }),
    engine: one.engine,
  }
}

async function answer(
  output: Output,
  source: PackedSource,
  dataset: Dataset,
  images: ImageView,
): Promise<Answers> {
  const predictor = await openPredictor(source, { batchSize })
  const kept: Float32Array[] = []
  const predict: Predictor = async (batch, count) => {
    const logits = await predictor.predict(batch, count)
    kept.push(logits.slice())
    return logits
  }
  try {
    const { imageShape } = dataset
    expectImages(predictor.imageShape, dataset, source.path)
    const normalization = chooseNormalization({}, source.normalization, dataset)
    const { accuracy, predictions } = await evaluate(
      predict,
      { images, imageShape, normalization },
      {
        loss: source.loss,
        batchSize,
        onProgress: done =>
          output.progress(`${source.path}  ${formatCount(done)} of ${formatCount(images.count)} images`),
      },
    )
    return { accuracy, predictions, logits: kept, engine: predictor.engine }
  } finally {
    await predictor.close()
  }
}

function largestDifference(one: readonly Float32Array[], other: readonly Float32Array[]): number {
  let largest = 0
  one.forEach((logits, batch) => {
    logits.forEach((value, index) => {
      largest = Math.max(largest, Math.abs(value - other[batch]![index]!))
    })
  })
  return largest
}
