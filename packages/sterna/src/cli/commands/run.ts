/** `sterna run`. */
import type { Command } from 'commander'
import { writeFileAtomic } from '../../core/index.node.ts'
import { f32, SternaError } from '../../core/index.ts'
import { writeNpy } from '../../formats/index.ts'
import { formatBytes, formatPercent, textTable } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { readInput } from '../input-file.ts'
import { loadRunnable, type RunnableSource } from '../load-model.ts'
import {
  addNormalizationOptions,
  chooseNormalization,
  describeNormalization,
  type NormalizationOptions,
} from '../normalization-options.ts'
import { oneOf, wholeNumber } from '../option-values.ts'
import { type EngineName, engineNames, openPredictor } from '../predictors.ts'

interface RunCommandOptions extends NormalizationOptions, EngineChoice {
  readonly input: string
  readonly output?: string
  readonly model?: string
  readonly engine?: EngineName
  readonly top: number
}

export function runCommand(): Command {
  const command = createCommand('run <model>', {
    summary: 'classify an image or an array with a model',
    description:
      'Classify. A .png must have the size the model takes; colour becomes grey where the model takes one channel, ' +
      'and pixels are normalised as the model says. A .npy of bytes is taken as pixels, [H, W], [N, H, W], ' +
      '[C, H, W] or [N, C, H, W]; one of floats as numbers that are normalised already.',
    examples: ['run digits.sterna --input seven.png', 'run runs/ec2t --input batch.npy --output logits.npy'],
  })
    .requiredOption('--input <file>', 'a .png or .npy file')
    .option('--output <file>', 'write the scores (logits), [N, classes], as .npy')
    .option('--model <name>', 'which network a weights file is for')
    .option(
      '--engine <name>',
      'ort, runtime or reference; the last two for .sterna files',
      oneOf('--engine', engineNames),
    )
    .option('--top <n>', 'how many classes to print', wholeNumber('--top', 1, 1000), 3)
  addEngineOptions(addNormalizationOptions(command))
  return defineAction<RunCommandOptions>(command, async (output, options, path) => {
    if (options.output !== undefined) expectNpyName(options.output)
    const source = await loadRunnable(path!, options.model)
    const predictor = await openPredictor(source, { ...options, batchSize: 1 })
    try {
      const normalization = chooseNormalization(options, source.normalization)
      const input = readInput(options.input, predictor.imageShape, normalization)
      if (input.arePixels) output.note(`normalised  ${describeNormalization(normalization)}`)
      else expectNoNormalization(options)
      const size = input.data.length / input.count
      const rows: Float32Array[] = []
      for (let image = 0; image < input.count; image++) {
        rows.push((await predictor.predict(input.data.slice(image * size, (image + 1) * size), 1)).slice())
      }
      const results = rows.map(row => rankClasses(row, options.top, classesOf(source)))
      const written = options.output === undefined ? undefined : writeScores(options.output, rows)
      output.result(
        { engine: predictor.engine, images: results, ...(written && { output: written }) },
        [
          resultTable(results),
          ...(written ? [`\nwrote ${written.file}: ${formatBytes(written.bytes)}, [${written.shape}]`] : []),
        ].join('\n'),
      )
    } finally {
      await predictor.close()
    }
  })
}

function classesOf(source: RunnableSource): readonly string[] | undefined {
  if (source.kind === 'compiled') return source.session.metadata.classes
  return source.kind === 'sterna' ? source.packed.metadata.classes : undefined
}

interface RankedClass {
  readonly class: number
  readonly label?: string
  /** The logit. */
  readonly score: number
  readonly softmax: number
}

function rankClasses(
  scores: Float32Array,
  top: number,
  labels: readonly string[] | undefined,
): readonly RankedClass[] {
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0)
  return [...scores]
    .map((score, index) => ({
      class: index,
      ...(labels?.[index] !== undefined && { label: labels[index] }),
      score,
      softmax: Math.exp(score - largest) / total,
    }))
    .sort((a, b) => b.score - a.score || a.class - b.class)
    .slice(0, top)
}

function resultTable(results: readonly (readonly RankedClass[])[]): string {
  return textTable(
    [
      { title: 'image', align: 'right' },
      { title: 'class', align: 'left' },
      { title: 'softmax', align: 'right' },
      { title: 'score', align: 'right' },
    ],
    results.flatMap((ranked, image) =>
      ranked.map((row, rank) => [
        rank === 0 ? String(image) : '',
        row.label === undefined || row.label === String(row.class)
          ? String(row.class)
          : `${row.class} ${row.label}`,
        formatPercent(row.softmax),
        row.score.toFixed(3),
      ]),
    ),
  )
}

function expectNpyName(file: string): void {
  if (file.toLowerCase().endsWith('.npy')) return
  throw new SternaError('usage/option', `--output ${file}: expected a name that ends in .npy`)
}

function expectNoNormalization({ input, mean, std }: RunCommandOptions): void {
  if (mean === undefined && std === undefined) return
  throw new SternaError(
    'usage/option',
    `--${mean === undefined ? 'std' : 'mean'}: ${input} holds floats, which are taken as normalised already`,
    { hint: 'pixels to normalise are bytes (u8)' },
  )
}

function writeScores(file: string, rows: readonly Float32Array[]) {
  const classes = rows[0]!.length
  const scores = new Float32Array(rows.length * classes)
  rows.forEach((row, index) => {
    scores.set(row, index * classes)
  })
  const shape = [rows.length, classes]
  const bytes = writeNpy(f32(shape, scores))
  writeFileAtomic(file, bytes)
  return { file, bytes: bytes.length, shape }
}
