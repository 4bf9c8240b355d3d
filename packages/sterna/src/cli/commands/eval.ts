/** `sterna eval`. */
import type { Command } from 'commander'
import { SternaError } from '../../core/index.ts'
import { openDataset } from '../../data/index.node.ts'
import { type Dataset, type ImageView, type Split, splitDataset, viewAll } from '../../data/index.ts'
import { formatCount, formatDuration, formatPercent, textPairs } from '../../report/index.ts'
import { evaluate } from '../../train/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { expectImages } from '../expect-images.ts'
import { limitView } from '../limit-view.ts'
import { loadRunnable, type RunnableSource } from '../load-model.ts'
import {
  addNormalizationOptions,
  chooseNormalization,
  describeNormalization,
  type NormalizationOptions,
} from '../normalization-options.ts'
import { oneOf, wholeNumber } from '../option-values.ts'
import {
  type ArithmeticName,
  arithmeticNames,
  type EngineName,
  engineNames,
  openPredictor,
} from '../predictors.ts'

interface EvalOptions extends NormalizationOptions, EngineChoice {
  readonly data: string
  readonly split: Split
  readonly model?: string
  readonly batchSize: number
  readonly engine?: EngineName
  readonly arithmetic?: ArithmeticName
  readonly limit?: number
}

export function evalCommand(): Command {
  const command = createCommand('eval <model>', {
    summary: 'measure the accuracy of a run, an ONNX, a .sterna or a weights file',
    description:
      'Measure accuracy and loss. MODEL is a run directory, an .onnx or .sterna file, a .wasm of sterna export, or a ' +
      'weights file (.pt, .pth, .th, .safetensors, .npz) with --model NAME. A .sterna or .wasm file is run by ' +
      'sterna-runtime, anything else by ONNX Runtime.',
    examples: [
      'eval runs/ec2t --data mnist:data',
      'eval digits.sterna --data glyphs --json',
      'eval resnet20.th --model resnet20 --data cifar10:data',
    ],
  })
    .requiredOption('--data <spec>', 'mnist:DIR, cifar10:DIR or glyphs')
    .option(
      '--split <name>',
      'test, validation or train',
      oneOf('--split', ['test', 'validation', 'train']),
      'test',
    )
    .option('--model <name>', 'which network a weights file is for')
    .option(
      '--engine <name>',
      'ort, runtime or reference; the last two for .sterna files',
      oneOf('--engine', engineNames),
    )
    .option(
      '--arithmetic <name>',
      'auto, f32 or int; int is for .sterna files with ranges of activations (default: auto, int where there are ranges)',
      oneOf('--arithmetic', arithmeticNames),
    )
    .option('--batch-size <n>', 'images computed at a time', wholeNumber('--batch-size', 1, 65_536), 250)
    .option('--limit <n>', 'only the first n images', wholeNumber('--limit', 1))
  addEngineOptions(addNormalizationOptions(command))
  return defineAction<EvalOptions>(command, async (output, options, path) => {
    const source = await loadRunnable(path!, options.model)
    const dataset = await openDataset(options.data)
    const images = limitView(chooseSplit(dataset, options.split, source), options.limit)
    const normalization = chooseNormalization(options, source.normalization, dataset)
    const predictor = await openPredictor(source, options)
    try {
      expectImages(predictor.imageShape, dataset, path!)
      output.note(`engine      ${predictor.engine}\nnormalised  ${describeNormalization(normalization)}`)
      const startedMs = performance.now()
      const { accuracy, loss, samples } = await evaluate(
        predictor.predict,
        { images, imageShape: dataset.imageShape, normalization },
        {
          loss: source.loss,
          batchSize: options.batchSize,
          onProgress: done => output.progress(`${formatCount(done)} of ${formatCount(images.count)} images`),
        },
      )
      const elapsedMs = performance.now() - startedMs
      output.result(
        {
          accuracy,
          loss,
          samples,
          split: options.split,
          arithmetic: predictor.arithmetic,
          engine: predictor.engine,
          lossName: source.loss,
          normalization,
          data: { name: dataset.name, digest: dataset.digest },
          elapsedMs,
        },
        textPairs([
          [
            'accuracy',
            `${output.bold(formatPercent(accuracy))} (${formatCount(Math.round(accuracy * samples))} of ${formatCount(samples)} ${dataset.name} ${options.split} images, ${predictor.arithmetic})`,
          ],
          ['loss', `${loss.toFixed(4)} (${source.loss})`],
          ['time', `${formatDuration(elapsedMs)}, ${formatDuration(elapsedMs / samples)} per image`],
        ]),
      )
    } finally {
      await predictor.close()
    }
  })
}

/** The images of a split; validation and train images are told apart as the run did. */
function chooseSplit(dataset: Dataset, split: Split, source: RunnableSource): ImageView {
  if (split === 'test') return viewAll(dataset.test)
  const config = source.kind === 'run' ? source.config : undefined
  if (split === 'validation' && (config === undefined || config.validation === 0)) {
    throw new SternaError(
      'usage/option',
      config === undefined
        ? `--split validation: only a run says which images it held out, ${source.path} is none`
        : `--split validation: the run ${source.path} held out no images`,
      { hint: 'use --split test or --split train' },
    )
  }
  const { validation = 0, seed = 0 } = config ?? {}
  return splitDataset(dataset, { validation, seed })[split]
}
