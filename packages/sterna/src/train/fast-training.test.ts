import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, Random, sizeOf, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import type { Engine } from '../engine/index.ts'
import { type Generated, generate, readFixture } from '../graph/testing/pytorch.node.ts'
import { zooEntry } from '../models/index.ts'
import { createQuantizer } from '../ternary/index.ts'
import { quantizeNetwork } from './quantized-network.ts'
import { buildStep, stepInputs, stepScalars } from './step-graph.ts'

const standard = await createEngine({ device: 'cpu', threads: 2, lowering: 'standard' })
const fast = await createEngine({ device: 'cpu', threads: 2 })
const skip = fast.lowering !== 'fast' && fast.loweringReason
if (skip) console.log(`skipped: ${skip}`)
after(() => Promise.all([standard.close(), fast.close()]))

interface Setup {
  readonly model: string
  readonly method?: string
  readonly batchSize: number
  readonly rate: number
  readonly parameters?: ReadonlyMap<string, Tensor>
}

async function prepare(engine: Engine, { model, method = 'float', batchSize, rate, parameters }: Setup) {
  const created = zooEntry(model).create(10, 1)
  const network = { ...created, parameters: new Map([...created.parameters, ...(parameters ?? [])]) }
  const { layers, state } = quantizeNetwork(network, createQuantizer(method), undefined)
  const config = {
    loss: 'cross-entropy',
    optimiser: { kind: 'sgd', momentum: 0.9, nesterov: false },
    weightDecay: { latent: 1e-4, state: 0, rest: 1e-4 },
    learningRate: { latent: rate, state: rate, rest: rate },
    batchSize,
  } as const
  const step = buildStep(network.graph, layers, config)
  const executable = await engine.load(step.program)
  await executable.setState(
    new Map([...network.parameters, ...state, ...step.moments, ...(parameters ?? [])]),
  )
  return {
    async run(images: Tensor, labels: readonly number[]): Promise<number> {
      const oneHot = f32([batchSize, 10])
      labels.forEach((label, image) => {
        oneHot.data[image * 10 + label] = 1
      })
      const batch = { [stepInputs.images]: images, [stepInputs.oneHot]: oneHot }
      const outputs = await executable.run({ ...batch, ...stepScalars(config, 0, 1) })
      return outputs[step.outputs.loss]!.data[0] as number
    },
    state: () => executable.getState(),
    release: () => executable.release(),
  }
}

function drawBatch(model: string, batchSize: number) {
  const random = new Random(9)
  const shape = [batchSize, ...zooEntry(model).imageShape]
  return {
    images: f32(
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
    ),
    labels: Array.from({ length: batchSize }, (_, image) => (7 * image) % 10),
  }
}

interface LossFixture {
  readonly batch: number
  readonly optimiser: { readonly rate: number }
  readonly parameters: readonly (Generated & { readonly name: string })[]
  readonly inputs: readonly Generated[]
  readonly labels: readonly (readonly number[])[]
  readonly losses: readonly number[]
}

describe('the losses of twenty steps of ResNet-20 are those of PyTorch in float64', () => {
  const fixture = readFixture<LossFixture>('resnet20-losses')
  for (const engine of [standard, fast]) {
    it(`through the lowering ${engine.lowering}`, async () => {
      const parameters = new Map(fixture.parameters.map(spec => [spec.name, generate(spec)]))
      const { rate } = fixture.optimiser
      const training = await prepare(engine, {
        model: 'resnet20',
        batchSize: fixture.batch,
        rate,
        parameters,
      })
      const batches = fixture.inputs.map(generate)
      for (const [index, expected] of fixture.losses.entries()) {
        const found = await training.run(batches[index % 4]!, fixture.labels[index % 4]!)
        const difference = Math.abs(found - expected) / expected
        assert.ok(difference <= 1e-3, `step ${index + 1}: expected ${expected}, found ${found}`)
      }
      await training.release()
    })
  }
})

/**
 * Gradients of two float32 computations differ where a ReLU or a maximum falls to the other side for a rounding error.
 * Against float64 the relative L2 error is about 1e-3 in both, PyTorch's among them; biases before batch norm have
 * gradient zero, so that only their rounding is compared.
 */
const mostDifference = 1e-2
/** The gradient of a magnitude is a difference of large sums. */
const mostOfMagnitudes = 5e-2
const roundingOfZero = 1e-4

describe('gradients of whole networks are those of the standard lowering', { skip }, () => {
  const networks: readonly Omit<Setup, 'rate'>[] = [
    { model: 'resnet20', batchSize: 16 },
    { model: 'resnet20', method: 'ec2t', batchSize: 25 },
    { model: 'lenet5', batchSize: 50 },
    { model: 'lenet5-classic', batchSize: 16 },
    { model: 'vgg7', batchSize: 12 },
    { model: 'resnet18', batchSize: 12 },
  ]
  for (const setup of networks) {
    it(`${setup.model}, ${setup.method ?? 'float'}, batch ${setup.batchSize}`, async () => {
      const { images, labels } = drawBatch(setup.model, setup.batchSize)
      const results = []
      for (const engine of [standard, fast]) {
        // After one step from zero, momentum is the gradient and its weight decay.
        const training = await prepare(engine, { ...setup, rate: 0 })
        results.push({ loss: await training.run(images, labels), state: await training.state() })
        await training.release()
      }
      const [expected, found] = results as [(typeof results)[number], (typeof results)[number]]
      assert.ok(Math.abs(found.loss - expected.loss) <= 1e-5 * expected.loss)
      for (const [name, { data }] of expected.state) {
        const other = found.state.get(name)!.data
        let squares = 0
        let differences = 0
        data.forEach((value, index) => {
          squares += Number(value) ** 2
          differences += (Number(value) - Number(other[index])) ** 2
        })
        const most = name.includes('@magnitudes') ? mostOfMagnitudes : mostDifference
        const limit = most * Math.sqrt(squares) + roundingOfZero
        assert.ok(
          Math.sqrt(differences) <= limit,
          `${name}: ${Math.sqrt(differences)} of ${Math.sqrt(squares)}`,
        )
      }
    })
  }
})

describe('training on the fast lowering', { skip }, () => {
  it('gives the same bits again, and from a saved state those of the unbroken training', async () => {
    const setup = { model: 'resnet20', method: 'ec2t', batchSize: 14, rate: 0.01 }
    const { images, labels } = drawBatch('resnet20', 14)
    const unbroken = await prepare(fast, setup)
    for (let index = 0; index < 4; index++) await unbroken.run(images, labels)
    const first = await prepare(fast, setup)
    for (let index = 0; index < 2; index++) await first.run(images, labels)
    const second = await prepare(fast, { ...setup, parameters: await first.state() })
    for (let index = 0; index < 2; index++) await second.run(images, labels)
    assert.deepEqual(await second.state(), await unbroken.state())
  })
})
