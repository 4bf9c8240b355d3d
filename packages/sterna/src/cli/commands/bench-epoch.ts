/** `sterna bench epoch`: a whole epoch against its training steps alone. */
import type { Command } from 'commander'
import { peakMemoryBytes } from '../../core/index.node.ts'
import { Random } from '../../core/index.ts'
import { augmentations, type Dataset, type LabelledImages } from '../../data/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { zooEntry } from '../../models/index.ts'
import { formatCount, formatDuration, formatPercent, formatSize } from '../../report/index.ts'
import { defaultConfig, train } from '../../train/index.ts'
import { median } from '../bench/pairs.ts'
import { describeMachine } from '../bench/report.ts'
import { benchClasses, prepareStep, restingRate } from '../bench/training-step.ts'
import { createCommand, defineAction } from '../command.ts'
import { addEngineOptions, type EngineChoice } from '../engine-options.ts'
import { oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { describeEngine } from '../predictors.ts'
import { optimisers } from '../train-options.ts'

/** Steps timed before the epoch, and as many after it. */
const timedSteps = 15

interface BenchEpochOptions extends EngineChoice {
  readonly model: string
  readonly batchSize: number
  readonly images: number
  readonly augmentation: keyof typeof augmentations
}

export function benchEpochCommand(): Command {
  const command = createCommand('epoch', {
    summary: 'time a whole epoch of training against its steps alone',
    description:
      'Time an epoch as `sterna train` runs it, with shuffling, augmentation, and everything done at its end, on random ' +
      'images; and, before and after it, training steps on a batch that lies ready. What the epoch takes longer is what ' +
      'data and bookkeeping cost.',
    examples: [
      'bench epoch',
      'bench epoch --model lenet5 --batch-size 50 --images 60000 --augmentation none',
    ],
  })
    .option('--model <name>', 'network', 'resnet20')
    .option('--batch-size <n>', 'images of a step', wholeNumber('--batch-size', 2, 65_536), 128)
    .option('--images <n>', 'images of the epoch', wholeNumber('--images', 2, 1_000_000), 50_000)
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
  const { model: name, batchSize, images, augmentation } = options
  const dataset = randomDataset(name, images)
  const overrides = {
    batchSize,
    epochs: 1,
    validation: 0,
    optimiser: optimisers.sgd,
    augmentation: augmentations[augmentation],
  }
  const config = defaultConfig(
    name,
    'float',
    { spec: 'random', normalization: dataset.normalization },
    overrides,
  )
  const engine = await createEngine(options)
  try {
    output.progress('timing steps')
    const step = await prepareStep(engine, {
      model: name,
      method: 'float',
      optimiser: optimisers.sgd,
      batchSize,
    })
    const times = await timeSteps(step.run)
    let epochMs = 0
    let steps = 0
    await train({
      config,
      model: zooEntry(name).create(benchClasses, config.seed),
      dataset,
      engine,
      onEvent: event => {
        if (event.kind === 'start') steps = event.stepsPerEpoch
        if (event.kind === 'progress') output.progress(`epoch: step ${event.step} of ${event.stepsPerEpoch}`)
        if (event.kind === 'epoch') epochMs = event.elapsedMs
      },
    })
    times.push(...(await timeSteps(step.run)))
    const stepMs = median(times)
    const ratio = epochMs / (steps * stepMs)
    const memory = peakMemoryBytes()
    const command = `sterna bench epoch --model ${name} --batch-size ${batchSize} --images ${images} --augmentation ${augmentation} --threads ${engine.threads}`
    output.result(
      {
        command,
        machine: describeMachine(),
        engine: describeEngine(engine),
        model: name,
        batchSize,
        images,
        steps,
        stepMs,
        epochMs,
        ratio,
        peakMemoryBytes: memory,
      },
      [
        `an epoch takes ${formatPercent(ratio, 1)} of ${formatCount(steps)} steps of ${stepMs.toFixed(2)} ms (median of ${times.length}): ${formatDuration(epochMs)}, ${formatCount((steps * batchSize * 1000) / epochMs)} images/s`,
        `${name}, batch ${batchSize}, ${formatCount(images)} images, augmentation ${augmentation}; peak memory ${formatSize(memory)}`,
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
