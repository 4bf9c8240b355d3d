/** Accuracy and loss of anything that gives logits, over a set of images. */
import { SternaError, type Tensor } from '../core/index.ts'
import {
  createLoader,
  type ImageShape,
  type ImageView,
  type LabelledImages,
  type Normalization,
} from '../data/index.ts'
import type { Engine } from '../engine/index.ts'
import { type Graph, withBatchSize } from '../graph/index.ts'
import { exampleLoss, type LossName } from './loss.ts'
import { singleEdges } from './step-graph.ts'

/** Logits [count, K] of normalised images [count, C, H, W]. */
export type Predictor = (images: Float32Array, count: number) => Promise<Float32Array>

export interface EvaluationSet {
  readonly images: LabelledImages | ImageView
  readonly imageShape: ImageShape
  readonly normalization: Normalization
}

export interface Evaluation {
  /** Fraction of images whose largest logit (the first, in a tie) is the label. */
  readonly accuracy: number
  /** Mean loss. */
  readonly loss: number
  readonly samples: number
  /** [samples], the predicted class. */
  readonly predictions: Uint8Array
}

/** Runs all images in order, `batchSize` at a time. */
export async function evaluate(
  predict: Predictor,
  set: EvaluationSet,
  options: {
    readonly loss: LossName
    readonly batchSize: number
    readonly onProgress?: (done: number) => void
  },
): Promise<Evaluation> {
  const loader = createLoader({ ...set, batchSize: options.batchSize, seed: 0 })
  const predictions = new Uint8Array(loader.samplesPerEpoch)
  let done = 0
  let correct = 0
  let loss = 0
  for (let index = 0; index < loader.batchesPerEpoch; index++) {
    const { x, labels } = await loader.next()
    const logits = await predict(x, labels.length)
    const classes = logits.length / labels.length
    for (let i = 0; i < labels.length; i++) {
      const row = logits.subarray(i * classes, (i + 1) * classes)
      const label = labels[i]!
      if (label >= classes) {
        throw new SternaError(
          'data/invalid',
          `evaluate: label ${label} of image ${done + i}, network has ${classes} classes`,
        )
      }
      predictions[done + i] = argMax(row)
      if (predictions[done + i] === label) correct++
      loss += exampleLoss(options.loss, row, label)
    }
    done += labels.length
    options.onProgress?.(done)
  }
  return { accuracy: correct / done, loss: loss / done, samples: done, predictions }
}

/** The index of the first largest number. */
export function argMax(row: ArrayLike<number>): number {
  let best = 0
  for (let k = 1; k < row.length; k++) if (row[k]! > row[best]!) best = k
  return best
}

export interface EnginePredictor {
  readonly batchSize: number
  setParameters(parameters: ReadonlyMap<string, Tensor>): Promise<void>
  readonly predict: Predictor
  release(): Promise<void>
}

/** An inference graph on an engine; batches smaller than `batchSize` are padded with zeros. */
export async function createEnginePredictor(
  engine: Engine,
  graph: Graph,
  batchSize: number,
): Promise<EnginePredictor> {
  const batched = withBatchSize(graph, batchSize)
  const { input, output } = singleEdges(batched)
  const executable = await engine.load({ graph: batched, state: new Map() })
  const imageSize = input.shape.slice(1).reduce((product, size) => product * size, 1)
  const classes = output.shape[1]!
  return {
    batchSize,
    setParameters: parameters => executable.setState(parameters),
    release: () => executable.release(),
    predict: async (images, count) => {
      let data = images
      if (images.length !== batchSize * imageSize) {
        if (images.length !== count * imageSize || count > batchSize) {
          throw new SternaError(
            'usage/input',
            `${graph.name}: expected images of [${input.shape}], found ${images.length} numbers`,
          )
        }
        data = new Float32Array(batchSize * imageSize)
        data.set(images)
      }
      const outputs = await executable.run({ [input.name]: { dtype: 'f32', shape: input.shape, data } })
      return (outputs[output.name]!.data as Float32Array).subarray(0, count * classes)
    },
  }
}
