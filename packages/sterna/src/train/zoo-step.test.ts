import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, Random, sizeOf, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { zoo, zooEntry } from '../models/index.ts'
import { createQuantizer } from '../ternary/index.ts'
import { quantizeNetwork } from './quantized-network.ts'
import { buildStep, type StepConfig, type StepProgram, stepInputs, stepScalars } from './step-graph.ts'

const engine = await createEngine({ device: 'cpu', threads: 2 })
after(() => engine.close())

const config = {
  loss: 'cross-entropy',
  optimiser: { kind: 'sgd', momentum: 0.9, nesterov: false },
  weightDecay: { latent: 1e-4, state: 0, rest: 1e-4 },
  batchSize: 2,
} as const satisfies StepConfig
const learningRate = { latent: 0.01, state: 0.01, rest: 0.01 }

function prepare(name: string, method: string): { step: StepProgram; state: Map<string, Tensor> } {
  const model = zooEntry(name).create(10, 1)
  const { layers, state } = quantizeNetwork(model, createQuantizer(method), 'float-first-last')
  const step = buildStep(model.graph, layers, config)
  return { step, state: new Map([...model.parameters, ...state, ...step.moments]) }
}

describe('a training step of every network of the zoo', () => {
  it('has a next value for every parameter', () => {
    // ResNet-18B is ResNet-18 with more channels.
    for (const { name } of zoo.filter(entry => entry.name !== 'resnet18b')) {
      const { step, state } = prepare(name, 'float')
      assert.deepEqual(new Set(step.program.state.keys()), new Set(state.keys()), name)
    }
  })

  for (const name of ['vgg7', 'resnet18']) {
    it(`lowers the loss of ${name} on a batch it has seen, with ternary weights`, async () => {
      const { step, state } = prepare(name, 'twn')
      const executable = await engine.load(step.program)
      await executable.setState(state)
      const random = new Random(1)
      const shape = [config.batchSize, ...zooEntry(name).imageShape]
      const inputs = {
        [stepInputs.images]: f32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
        ),
        [stepInputs.oneHot]: f32(
          [config.batchSize, 10],
          Float32Array.from({ length: 20 }, (_, index) => (index === 3 || index === 15 ? 1 : 0)),
        ),
        ...stepScalars({ ...config, learningRate }, 0, 1),
      }
      const losses: number[] = []
      for (let index = 0; index < 3; index++) {
        const outputs = await executable.run(inputs)
        losses.push(outputs[step.outputs.loss]!.data[0] as number)
      }
      assert.ok(losses[2]! < losses[0]!, `losses ${losses.join(', ')}`)
      await executable.release()
    })
  }
})
