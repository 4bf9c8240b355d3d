/** One training step, ready to be run again and again on the same random batch. */
import { f32, Random, sizeOf, type Tensor } from '../../core/index.ts'
import type { Engine, Fallback } from '../../engine/index.ts'
import { zooEntry } from '../../models/index.ts'
import { createQuantizer } from '../../ternary/index.ts'
import {
  buildStep,
  defaultConfig,
  type OptimiserConfig,
  quantizeNetwork,
  stepInputs,
  stepScalars,
} from '../../train/index.ts'
import type { StepWork } from './step-protocol.ts'

export const benchClasses = 10

/** A rate so small that thousands of steps on one batch stay near where they began. */
export const restingRate = 1e-7

export interface PreparedStep {
  readonly fallbacks: readonly Fallback[]
  /** One step; the loss before it. */
  readonly run: (learningRate: number) => Promise<number>
}

export async function prepareStep(
  engine: Engine,
  { model: name, method, batchSize, optimiser }: StepWork & { readonly optimiser: OptimiserConfig },
): Promise<PreparedStep> {
  const model = zooEntry(name).create(benchClasses, 1)
  const config = defaultConfig(name, method, { spec: 'random' }, { optimiser, batchSize })
  const { layers, state } = quantizeNetwork(model, createQuantizer(method), config.layers)
  const { program, moments, outputs } = buildStep(model.graph, layers, config)
  const executable = await engine.load(program)
  await executable.setState(new Map([...model.parameters, ...state, ...moments]))
  const labels = benchLabels(batchSize)
  const batch: Record<string, Tensor> = {
    [stepInputs.images]: benchImages(name, batchSize),
    [stepInputs.oneHot]: f32(
      [batchSize, benchClasses],
      Float32Array.from({ length: batchSize * benchClasses }, (_, index) =>
        index % benchClasses === labels[Math.floor(index / benchClasses)] ? 1 : 0,
      ),
    ),
  }
  return {
    fallbacks: executable.fallbacks,
    run: async rate => {
      const learningRate = { latent: rate, state: rate, rest: rate }
      const found = await executable.run({ ...batch, ...stepScalars({ ...config, learningRate }, 1e6, 1) })
      return found[outputs.loss]!.data[0] as number
    },
  }
}

/** Normal noise [batchSize, C, H, W]. */
export function benchImages(model: string, batchSize: number): Tensor<'f32'> {
  const random = new Random(1)
  const shape = [batchSize, ...zooEntry(model).imageShape]
  return f32(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
  )
}

/** The class of each image: all of them in turn. */
export function benchLabels(batchSize: number): readonly number[] {
  return Array.from({ length: batchSize }, (_, index) => index % benchClasses)
}
