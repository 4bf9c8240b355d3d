/** Packs a run and finds the figures of the file: accuracy, size, arithmetic, time, agreement. */
import { describeModel } from 'sterna-runtime'
import { readFileBytes, writeFileAtomic } from '../core/index.node.ts'
import { SternaError } from '../core/index.ts'
import type { Dataset } from '../data/index.ts'
import { packModel } from '../pack/index.ts'
import { type ComparisonRow, formatCount, reportPacked } from '../report/index.ts'
import { type Evaluation, evaluate, type Predictor } from '../train/index.ts'
import { loadModelSource, type ModelSource } from './load-model.ts'
import type { Output } from './output.ts'
import { packedMetadata } from './packed-metadata.ts'
import { openPredictor } from './predictors.ts'

/** Packs a run and evaluates the file that was written. */
export async function packAndMeasure(
  output: Output,
  name: string,
  directory: string,
  dataset: Dataset,
): Promise<ComparisonRow> {
  const run = loadModelSource(directory)
  if (run.kind === 'sterna') throw new SternaError('internal', `${directory} is a file`)
  const metadata = { ...packedMetadata(run), classes: dataset.classes }
  const { bytes, report } = packModel(run.model, run.ternary, { dense: 'f16', metadata })
  const file = `${directory}.sterna`
  writeFileAtomic(file, bytes)

  const source = loadModelSource(file)
  if (source.kind !== 'sterna') throw new SternaError('internal', `${file} is no .sterna file`)
  const packed = await measureTest(output, `${name.padEnd(5)}  packed file`, source, dataset)
  const unpacked = await measureTest(output, `${name.padEnd(5)}  unpacked network`, run, dataset)
  const { totals } = reportPacked(source.packed, source.account, await describeModel(source.packed))
  const equal = packed.predictions.reduce(
    (count, predicted, index) => count + (predicted === unpacked.predictions[index] ? 1 : 0),
    0,
  )
  return {
    name,
    file,
    engine: packed.engine,
    accuracy: packed.accuracy,
    zeros:
      totals.ternaryWeights > 0 ? totals.ternaryZeros / totals.ternaryWeights : totals.zeros / totals.weights,
    bitsPerWeight: report.bitsPerWeight,
    bytes: readFileBytes(file).length,
    ratio: report.ratio,
    additions: totals.additions,
    multiplications: totals.multiplications,
    imageMs: packed.computeMs / packed.samples,
    agreement: { equal, samples: packed.samples },
  }
}

/** Accuracy over the test set and the time that the network itself took. */
async function measureTest(
  output: Output,
  title: string,
  source: ModelSource,
  dataset: Dataset,
): Promise<Evaluation & { readonly computeMs: number; readonly engine: string }> {
  const predictor = await openPredictor(source, { batchSize: 250 })
  let computeMs = 0
  const predict: Predictor = async (images, count) => {
    const startedMs = performance.now()
    const logits = await predictor.predict(images, count)
    computeMs += performance.now() - startedMs
    return logits
  }
  try {
    const { imageShape, test: images } = dataset
    const evaluation = await evaluate(
      predict,
      { images, imageShape, normalization: source.normalization! },
      {
        loss: source.loss,
        batchSize: 250,
        onProgress: done =>
          output.progress(`${title}  ${formatCount(done)} of ${formatCount(images.count)} test images`),
      },
    )
    return { ...evaluation, computeMs, engine: predictor.engine }
  } finally {
    await predictor.close()
  }
}
