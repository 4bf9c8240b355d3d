/** `sterna compare`. */
import path from 'node:path'
import type { Command } from 'commander'
import { writeFileAtomic } from '../../core/index.node.ts'
import { SternaError } from '../../core/index.ts'
import { openDataset } from '../../data/index.node.ts'
import type { Dataset } from '../../data/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { zooEntry } from '../../models/index.ts'
import {
  type ComparedRun,
  type Comparison,
  comparisonPage,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  type MethodSummary,
  summarizeMethods,
  textTable,
} from '../../report/index.ts'
import { type LayerRule, layerRules, methods } from '../../ternary/index.ts'
import { type RunSummary, readRunSummary } from '../../train/index.node.ts'
import { createCommand, defineAction } from '../command.ts'
import { type ComparedPlan, type CompareSettings, describeProtocol, planComparison } from '../compare-plan.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { expectImages } from '../expect-images.ts'
import { interruptible } from '../interruption.ts'
import { packAndMeasure } from '../measure-packed.ts'
import { oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { noteEngine } from '../predictors.ts'
import { isFinished, trainOrResume } from '../train-or-resume.ts'
import { showTraining } from '../train-progress.ts'

interface CompareOptions extends EngineChoice {
  readonly data?: string
  readonly model: string
  readonly methods: string
  readonly seeds: number
  readonly epochs: number
  readonly batchSize: number
  readonly layers: LayerRule
  readonly out?: string
}

const ternaryMethods = methods.map(method => method.name).filter(name => name !== 'float')

export function compareCommand(): Command {
  const command = createCommand('compare', {
    summary: 'train several methods from the same float networks and compare what comes out',
    description:
      'Train a float network a seed, every method from each of them under one protocol, pack all, evaluate the ' +
      'packed files once on the test set, and write a table and two plots as one HTML page and as JSON. What is ' +
      'finished is kept, so an interrupted comparison goes on when the command is run again.',
    examples: [
      'compare --data glyphs --methods twn,ec2t,tga --epochs 4 --out comparison',
      'compare --data mnist:data --model lenet5 --seeds 3 --out comparison',
    ],
  })
    .option('--data <spec>', 'mnist:DIR, cifar10:DIR or glyphs')
    .option('--model <name>', 'network', 'lenet5')
    .option('--methods <list>', 'methods with commas between them', ternaryMethods.join(','))
    .option('--seeds <n>', 'how many seeds, from 1 on', wholeNumber('--seeds', 1, 1000), 1)
    .option('--epochs <n>', 'epochs of every training', wholeNumber('--epochs', 1, 100_000), 10)
    .option('--batch-size <n>', 'images of a step', wholeNumber('--batch-size', 2, 65_536), 50)
    .option(
      '--layers <rule>',
      `${layerRules.join(', ')}: for every method`,
      oneOf('--layers', layerRules),
      'all',
    )
    .option('--out <dir>', 'folder for the runs, the packed files and the page')
  addEngineOptions(command)
  return defineAction<CompareOptions>(command, compare)
}

async function compare(output: Output, options: CompareOptions): Promise<void> {
  const startedMs = performance.now()
  const settings = readSettings(options)
  const entry = zooEntry(settings.model)
  const dataset = await openDataset(settings.data)
  expectImages(entry.imageShape, dataset, settings.model)
  const plan = planComparison(settings, dataset)
  for (const run of plan) isFinished(run)
  await trainAll(output, options, dataset, plan)

  const runs: ComparedRun[] = []
  const width = Math.max(...plan.map(run => nameOf(run).length))
  let engine = ''
  for (const run of plan) {
    const found = await packAndMeasure(output, nameOf(run).padEnd(width), run.directory, dataset)
    engine = found.engine
    runs.push({
      method: run.method,
      seed: run.seed,
      validationAccuracy: selectedOf(run).validationAccuracy ?? 0,
      testAccuracy: found.accuracy,
      zeros: found.zeros,
      bytes: found.bytes,
      bitsPerWeight: found.bitsPerWeight,
      additions: found.additions,
      multiplications: found.multiplications,
      file: found.file,
    })
  }
  const comparison: Comparison = {
    model: settings.model,
    data: { name: dataset.name, digest: dataset.digest, testImages: dataset.test.count },
    protocol: describeProtocol(settings, plan[0]!.config.validation),
    engine,
    command: commandOf(settings),
    runs,
  }
  write(output, settings.out, comparison, performance.now() - startedMs)
}

function readSettings({ data, out, methods: list, ...rest }: CompareOptions): CompareSettings {
  if (data === undefined)
    throw new SternaError('usage/option', 'compare needs --data', { hint: 'for example: --data glyphs' })
  if (out === undefined) throw new SternaError('usage/option', 'compare needs --out, the folder to write')
  const { model, seeds, epochs, batchSize, layers } = rest
  const names = list.split(',').map(name => name.trim())
  return { data, out, methods: names, model, seeds, epochs, batchSize, layers }
}

/** Trains what is not finished yet: a redrawn line on a terminal, a line a run elsewhere. */
async function trainAll(
  output: Output,
  options: EngineChoice,
  dataset: Dataset,
  plan: readonly ComparedPlan[],
): Promise<void> {
  const engine = await createEngine(options)
  const width = Math.max(...plan.map(run => nameOf(run).length))
  try {
    noteEngine(output, engine)
    output.note(`data    ${dataset.name}, ${formatCount(dataset.train.count)} training images`)
    await interruptible(async signal => {
      for (const [index, run] of plan.entries()) {
        const title = `${`${index + 1}`.padStart(`${plan.length}`.length)}/${plan.length} ${nameOf(run).padEnd(width)}`
        const wasFinished = isFinished(run)
        const startedMs = performance.now()
        const show = output.redraws ? showTraining(output, run.config, title) : () => undefined
        await trainOrResume(run, { engine, dataset, signal }, show)
        const { validationAccuracy, zeros } = selectedOf(run)
        output.note(
          [
            title,
            `validation ${formatPercent(validationAccuracy ?? 0)}`,
            ...(zeros === undefined ? [] : [`zeros ${formatPercent(zeros, 1)}`]),
            wasFinished ? 'was trained already' : formatDuration(performance.now() - startedMs),
          ].join('  '),
        )
      }
    })
  } finally {
    await engine.close()
  }
}

function write(output: Output, out: string, comparison: Comparison, elapsedMs: number): void {
  const json = path.join(out, 'comparison.json')
  const page = path.join(out, 'comparison.html')
  const text = new TextEncoder().encode(`${JSON.stringify(comparison, null, 2)}\n`)
  const html = new TextEncoder().encode(comparisonPage(comparison))
  writeFileAtomic(json, text)
  writeFileAtomic(page, html)
  output.result(
    { ...comparison, elapsedMs, files: [page, json] },
    [
      methodTable(summarizeMethods(comparison.runs)),
      '',
      `${comparison.model} on ${comparison.data.name}, ${formatCount(comparison.data.testImages)} test images, computed from the packed files.`,
      `wrote ${page} (${formatBytes(html.length)}) and ${json} (${formatBytes(text.length)}) in ${formatDuration(elapsedMs)}`,
    ].join('\n'),
  )
}

function methodTable(summaries: readonly MethodSummary[]): string {
  return textTable(
    [
      { title: 'method', align: 'left' },
      ...['test', 'validation', 'zeros', 'bytes'].map(title => ({ title, align: 'right' }) as const),
    ],
    summaries.map(({ method, testAccuracy, validationAccuracy, zeros, bytes }) => [
      method,
      formatPercent(testAccuracy.mean),
      formatPercent(validationAccuracy.mean),
      formatPercent(zeros.mean, 1),
      formatCount(bytes.mean),
    ]),
  )
}

function nameOf({ method, seed }: ComparedPlan): string {
  return `${method}-${seed}`
}

function selectedOf({ directory }: ComparedPlan): RunSummary['selected'] {
  return readRunSummary(directory).selected
}

function commandOf({
  data,
  model,
  methods: list,
  seeds,
  epochs,
  batchSize,
  layers,
  out,
}: CompareSettings): string {
  return (
    `sterna compare --data ${data} --model ${model} --methods ${list.join(',')} --seeds ${seeds} ` +
    `--epochs ${epochs} --batch-size ${batchSize} --layers ${layers} --out ${out}`
  )
}
