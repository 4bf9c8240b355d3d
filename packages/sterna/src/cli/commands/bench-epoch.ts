/** `sterna bench epoch`: a whole epoch against its training steps alone. */
import type { Command } from 'commander'
import { Random } from '../../core/index.ts'
import { augmentations, type Dataset, type LabelledImages } from '../../data/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { zooEntry } from '../../models/index.ts'
import { formatCount, formatDuration } from '../../report/index.ts'
import { defaultConfig, train } from '../../train/index.ts'
import { median } from '../bench/pairs.ts'
import { describeMachine, ratioCells, warnIfBusy } from '../bench/report.ts'
import { benchClasses, prepareStep, restingRate } from '../bench/training-step.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { describeEngine } from '../predictors.ts'
import { optimisers } from '../train-options.ts'

/** Steps timed before each part and after the last one. */
const timedSteps = 10

interface BenchEpochOptions extends EngineChoice {
  readonly model: string
  readonly batchSize: number
  readonly images: number
  readonly parts: number
  readonly augmentation: keyof typeof augmentations
}

export function benchEpochCommand(): Command {
  const command = createCommand('epoch', {
    summary: 'time a whole epoch of training against its steps alone',
    description:
      'Time an epoch as `sterna train` runs it, with shuffling, augmentation, and everything done at its end, on random ' +
      'images, in parts that are trained as epochs of their own; and, before and after each part, training steps on a ' +
      'batch that lies ready. What the parts take longer is what data and bookkeeping cost.',
    examples: [
      'bench epoch',
      'bench epoch --model lenet5 --batch-size 50 --images 60000 --augmentation none',
    ],
  })
    .option('--model <name>', 'network', 'resnet20')
    .option('--batch-size <n>', 'images of a step', wholeNumber('--batch-size', 2, 65_536), 128)
    .option('--images <n>', 'images of the epoch', wholeNumber('--images', 2, 1_000_000), 50_000)
    .option('--parts <n>', 'parts of the epoch', wholeNumber('--parts', 1, 1000), 5)
    .option(
      '--augmentation <name>',
      `one of ${Object.keys(augmentations).join(', ')}`,
      oneOf('--augmentation', Object.keys(augmentations) as (keyof typeof augmentations)[]),
      'crop-flip',
    )
  addEngineOptions(command)
  return defineAction<BenchEpochOptions>(command, benchEpoch)
}

async function benchEpoch(output: Output, options: BenchEpochOptions): Promise<void> {
  const { model: name, batchSize, images, parts, augmentation } = options
  const dataset = randomDataset(name, Math.floor(images / parts))
  const config = defaultConfig(
    name,
    'float',
    { spec: 'random', normalization: dataset.normalization },
    {
      batchSize,
      epochs: parts,
      validation: 0,
      optimiser: optimisers.sgd,
      augmentation: augmentations[augmentation],
    },
  )
  warnIfBusy(output)
  const engine = await createEngine(options)
  try {
    output.progress('timing steps')
    const ready = await prepareStep(engine, {
      model: name,
      method: 'float',
      optimiser: optimisers.sgd,
      batchSize,
    })
    const between = [await timeSteps(ready.run)]
    const partMs: number[] = []
    let steps = 0
    let pauseMs = 0
    await train({
      config,
      model: zooEntry(name).create(benchClasses, config.seed),
      dataset,
      engine,
      // The trainer waits for its checkpoints: the time to time steps in.
      save: async () => {
        const startedMs = performance.now()
        between.push(await timeSteps(ready.run))
        pauseMs = performance.now() - startedMs
      },
      onEvent: event => {
        if (event.kind === 'start') steps = event.stepsPerEpoch
        if (event.kind === 'epoch') partMs.push(event.elapsedMs - pauseMs)
        if (event.kind === 'progress')
          output.progress(`part ${event.epoch} of ${parts}: step ${event.step} of ${event.stepsPerEpoch}`)
      },
    })
    const ratios = partMs.map((ms, part) => ms / (steps * median([...between[part]!, ...between[part + 1]!])))
    const ratio = { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
    const stepMs = median(between.flat())
    const epochMs = partMs.reduce((sum, ms) => sum + ms, 0)
    const command = `sterna bench epoch --model ${name} --batch-size ${batchSize} --images ${images} --parts ${parts} --augmentation ${augmentation} --threads ${engine.threads}`
    output.result(
      {
        command,
        machine: describeMachine(),
        engine: describeEngine(engine),
        model: name,
        batchSize,
        images,
        parts,
        steps: steps * parts,
        stepMs,
        epochMs,
        ratio,
      },
      [
        `an epoch takes ${ratioCells(ratio).join(' (')}) the time of its ${formatCount(steps * parts)} steps: ${formatDuration(epochMs)} with steps of ${stepMs.toFixed(2)} ms, ${formatCount((steps * parts * batchSize * 1000) / epochMs)} images/s`,
        `${name}, batch ${batchSize}, ${formatCount(images)} images in ${parts} parts, augmentation ${augmentation}; median of the parts, least and most`,
        `${describeEngine(engine)}; ${describeMachine()}`,
        command,
      ].join('\n'),
    )
  } finally {
    await engine.close()
  }
}

async function timeSteps(run: (learningRate: number) => Promise<number>): Promise<number[]> {
  for (let i = 0; i < 3; i++) await run(restingRate)
  const times: number[] = []
  for (let i = 0; i < timedSteps; i++) {
    const startedMs = performance.now()
    await run(restingRate)
    times.push(performance.now() - startedMs)
  }
  return times
}

/** Images of noise, of the network's shape. */
function randomDataset(model: string, count: number): Dataset {
  const { imageShape } = zooEntry(model)
  const random = new Random(1)
  const images = new Uint8Array(count * imageShape[0] * imageShape[1] * imageShape[2])
  for (let i = 0; i < images.length; i++) images[i] = random.uint32()
  const part: LabelledImages = {
    images,
    labels: Uint8Array.from({ length: count }, (_, index) => index % benchClasses),
    count,
  }
  return {
    name: 'random',
    classes: Array.from({ length: benchClasses }, (_, index) => `${index}`),
    imageShape,
    normalization: { mean: [0.5], std: [0.25] },
    train: part,
    test: part,
    digest: 'random',
  }
}
