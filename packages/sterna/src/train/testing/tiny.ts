/** A network, a data set and configurations that train in moments. */
import { createGlyphs, type Dataset, splitDataset } from '../../data/index.ts'
import type { Engine, Executable } from '../../engine/index.ts'
import type { Model } from '../../graph/index.ts'
import { NetworkBuilder } from '../../models/index.ts'
import type { Checkpoint } from '../checkpoint.ts'
import type { TrainConfig } from '../config.ts'
import { type ConfigOverrides, defaultConfig } from '../presets.ts'
import { stepInputs } from '../step-graph.ts'
import { type TrainResult, train } from '../trainer.ts'

/** Three weighted layers, batch norm and dropout: [N, 1, 28, 28] -> [N, 10]. */
export function tinyNetwork(seed = 1): Model {
  const net = new NetworkBuilder('tiny', seed, 'kaiming')
  let x = net.graph.input('input', [1, 1, 28, 28])
  x = net.relu(net.batchNorm(net.conv(x, 'conv1', 6, 5, { stride: 2 }), 'bn1'), 'relu1')
  x = net.relu(net.batchNorm(net.conv(x, 'conv2', 8, 3, { stride: 2 }), 'bn2'), 'relu2')
  x = net.graph.op('Flatten', [x], { axis: 1 }, 'flatten')
  x = net.graph.op('Dropout', [x], { ratio: 0.2 }, 'dropout')
  return net.build(net.linear(x, 'fc', 10))
}

/** 200 training and 40 validation images: 10 steps of 20 an epoch. */
export const tinyData: Dataset = createGlyphs({ train: 240, test: 10, seed: 7 })

export const stepsPerEpoch = 10

export function tinyConfig(method: string, overrides: ConfigOverrides = {}): TrainConfig {
  return defaultConfig(
    'lenet5',
    method,
    { spec: 'glyphs', normalization: tinyData.normalization },
    {
      validation: 40,
      batchSize: 20,
      epochs: 2,
      frozenEpochs: method === 'ec2t' ? 2 : 0,
      layers: 'all',
      ...overrides,
    },
  )
}

export const tinyValidation = (config: TrainConfig) => ({
  images: splitDataset(tinyData, config).validation,
  imageShape: tinyData.imageShape,
  normalization: config.normalization,
})

/** An engine that calls `onStep` with the number of training steps sent to it so far. */
export function countingEngine(engine: Engine, onStep: (steps: number) => void): Engine {
  let steps = 0
  return {
    device: engine.device,
    reason: engine.reason,
    lowering: engine.lowering,
    loweringReason: engine.loweringReason,
    threads: engine.threads,
    close: () => engine.close(),
    load: async program => {
      const held = await engine.load(program)
      return {
        fallbacks: held.fallbacks,
        setState: tensors => held.setState(tensors),
        getState: names => held.getState(names),
        copyStateFrom: (other, names) => held.copyStateFrom(other, names),
        release: () => held.release(),
        run: inputs => {
          if (stepInputs.images in inputs) onStep(++steps)
          return held.run(inputs)
        },
      } satisfies Executable
    },
  }
}

export interface TrainedTiny {
  readonly result: TrainResult
  /** In the order they were saved. */
  readonly checkpoints: readonly Checkpoint[]
  readonly steps: number
}

/** Trains the tiny network; stops after `stopAfter` steps, where that is given. */
export async function trainTiny(
  engine: Engine,
  config: TrainConfig,
  options: { readonly resume?: Checkpoint; readonly stopAfter?: number } = {},
): Promise<TrainedTiny> {
  const controller = new AbortController()
  const checkpoints: Checkpoint[] = []
  let steps = 0
  const result = await train({
    config,
    model: tinyNetwork(),
    dataset: tinyData,
    engine: countingEngine(engine, count => {
      steps = count
      if (count === options.stopAfter) controller.abort()
    }),
    ...(options.resume && { resume: options.resume }),
    signal: controller.signal,
    save: async checkpoint => {
      checkpoints.push(checkpoint)
    },
  })
  return { result, checkpoints, steps }
}
