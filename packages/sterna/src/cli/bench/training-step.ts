/** One training step, ready to be run again and again on the same random batch. */
import { f32, Random, sizeOf, type Tensor } from '../../core/index.ts'
import type { Engine } from '../../engine/index.ts'
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

const CLASSES = 10

export async function prepareStep(
  engine: Engine,
  options: {
    readonly model: string
    readonly method: string
    readonly optimiser: OptimiserConfig
    readonly batchSize: number
  },
): Promise<() => Promise<unknown>> {
  const { model: name, method, optimiser, batchSize } = options
  const entry = zooEntry(name)
  const model = entry.create(CLASSES, 1)
  const config = defaultConfig(name, method, { spec: 'random' }, { optimiser, batchSize })
  const { layers, state } = quantizeNetwork(model, createQuantizer(method), config.layers)
  const step = buildStep(model.graph, layers, config)
  const executable = await engine.load(step.program)
  await executable.setState(new Map([...model.parameters, ...state, ...step.moments]))
  const random = new Random(1)
  const shape = [batchSize, ...entry.imageShape]
  const inputs: Record<string, Tensor> = {
    [stepInputs.images]: f32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
    ),
    [stepInputs.oneHot]: f32(
      [batchSize, CLASSES],
      Float32Array.from({ length: batchSize * CLASSES }, (_, index) =>
        index % CLASSES === Math.floor(index / CLASSES) % CLASSES ? 1 : 0,
      ),
    ),
    // A rate so small that thousands of steps on one batch stay near where they began.
    ...stepScalars({ ...config, learningRate: { latent: 1e-7, state: 1e-7, rest: 1e-7 } }, 1e6, 1),
  }
  return () => executable.run(inputs)
}
