/** `sterna quickstart`: the whole path, from images to packed ternary networks and their figures. */
import { statSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { SternaError } from '../../core/index.ts'
import { dataCatalogue, openDataset } from '../../data/index.node.ts'
import type { Dataset } from '../../data/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import {
  type ComparisonRow,
  comparisonTable,
  formatBytes,
  formatCount,
  formatDuration,
  textPairs,
} from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { interruptible } from '../interruption.ts'
import { packAndMeasure } from '../measure-packed.ts'
import { wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { noteEngine } from '../predictors.ts'
import { fullCommands, planQuickstart } from '../quickstart-plan.ts'
import { isFinished, trainOrResume } from '../train-or-resume.ts'
import { showTraining } from '../train-progress.ts'

interface QuickstartOptions extends EngineChoice {
  readonly data?: string
  readonly out: string
  readonly epochs?: number
  readonly seed: number
}

export function quickstartCommand(): Command {
  const command = createCommand('quickstart', {
    summary: 'train, ternarize, pack and run LeNet-5: the whole path in at most three minutes',
    description:
      'Train LeNet-5 in float, then TWN and EC2T from it, pack all three, run the packed files and compare them. ' +
      'Uses MNIST where it is found (--data, STERNA_DATA, ./data), else the built-in glyphs. Takes one to three ' +
      'minutes on two cores; what is finished is kept, so an interrupted quickstart goes on when run again.',
    examples: ['quickstart', 'quickstart --data mnist:data --out mnist-quickstart'],
  })
    .option('--data <spec>', 'a folder with MNIST, mnist:DIR, or glyphs')
    .option('--out <dir>', 'folder for the runs and the packed files', 'quickstart')
    .option(
      '--epochs <n>',
      'epochs of every training instead of the quick setting',
      wholeNumber('--epochs', 1, 1000),
    )
    .option('--seed <n>', 'decides initial weights, order and split', wholeNumber('--seed', 0), 1)
  addEngineOptions(command)
  return defineAction<QuickstartOptions>(command, quickstart)
}

async function quickstart(output: Output, options: QuickstartOptions): Promise<void> {
  const startedMs = performance.now()
  const spec = await chooseData(options.data)
  const dataset = await openDataset(spec)
  const plan = planQuickstart(dataset, spec, options)
  output.note(
    `data    ${dataset.name}: ${formatCount(dataset.train.count)} training and ${formatCount(dataset.test.count)} test images`,
  )
  const epochs = plan
    .map(({ method, config }) => `${method} ${config.epochs + config.frozenEpochs}`)
    .join(', ')
  output.note(`epochs  ${epochs}; one to three minutes on two cores in the quick setting`)
  await trainAll(output, options, dataset, plan)
  const rows: ComparisonRow[] = []
  for (const { method } of plan) {
    rows.push(await packAndMeasure(output, method, path.join(options.out, method), dataset))
  }
  const elapsedMs = performance.now() - startedMs
  output.result(
    {
      data: { name: dataset.name, digest: dataset.digest },
      directory: options.out,
      elapsedMs,
      networks: rows,
    },
    [
      comparisonTable(rows),
      '',
      `LeNet-5, ${formatCount(dataset.test.count)} ${dataset.name} test images, computed from the packed files by ${rows[0]!.engine}.`,
      `Zeros are those of the layers made ternary. Layer by layer: sterna inspect ${rows.at(-1)!.file}`,
      '',
      "This was the quick setting; the methods' own settings take longer and end better:",
      ...fullCommands(spec).map(line => `  ${line}`),
      '',
      `wrote to ${options.out}/ in ${formatDuration(elapsedMs)}, the run of each beside its file:`,
      textPairs(rows.map(row => [`  ${row.file}`, formatBytes(row.bytes)])),
    ].join('\n'),
  )
}

/** What was asked for, or MNIST where it is found, else glyphs. */
async function chooseData(asked: string | undefined): Promise<string> {
  if (asked !== undefined) {
    const isFolder = statSync(asked, { throwIfNoEntry: false })?.isDirectory() ?? false
    const spec = isFolder ? `mnist:${asked}` : asked
    if (/^(mnist|glyphs)(:|$)/.test(spec)) return spec
    throw new SternaError(
      'usage/option',
      `--data ${asked}: expected a folder with MNIST, mnist:DIR or glyphs`,
      {
        hint: 'LeNet-5 takes 28×28 grey images; other sets go with sterna train',
      },
    )
  }
  const mnist = (await dataCatalogue()).find(entry => entry.name === 'mnist')
  return mnist?.dir === undefined ? 'glyphs' : `mnist:${mnist.dir}`
}

/** Trains what is not there yet; the first network is the parent of the others. */
async function trainAll(
  output: Output,
  options: QuickstartOptions,
  dataset: Dataset,
  plan: ReturnType<typeof planQuickstart>,
): Promise<void> {
  const engine = await createEngine(options)
  try {
    noteEngine(output, engine)
    const parent = path.join(options.out, plan[0]!.method)
    await interruptible(async signal => {
      for (const { method, config } of plan) {
        const run = {
          directory: path.join(options.out, method),
          config,
          ...(method !== 'float' && { from: parent }),
        }
        if (isFinished(run)) output.note(`${method.padEnd(5)}  is trained already, in ${run.directory}`)
        const onEvent = showTraining(output, config, method.padEnd(5))
        await trainOrResume(run, { engine, dataset, signal }, onEvent)
      }
    })
  } finally {
    await engine.close()
  }
}
