import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import type { Executable } from '../engine/index.ts'
import { GraphBuilder, type Model } from '../graph/index.ts'
import { assertNear, type Generated, generate, readFixture } from '../graph/testing/pytorch.node.ts'
import { createQuantizer } from '../ternary/index.ts'
import type { OptimiserConfig } from './config.ts'
import { materialize, type QuantizedLayers, quantizeNetwork } from './quantized-network.ts'
import { buildStep, type StepConfig, type StepProgram, stepInputs, stepScalars } from './step-graph.ts'
import { oneHotLabels } from './testing/lenet5-step.node.ts'

type Values = Readonly<Record<string, readonly number[]>>

interface Run {
  readonly options: Readonly<Record<string, number>>
  readonly losses: readonly number[]
  readonly step1: { readonly gradients: Values; readonly unclamped?: Values }
  readonly after: Values
}

interface Fixture {
  readonly batch: number
  readonly learningRate: { readonly latent: number; readonly rest: number }
  readonly stateRate: { readonly tga: number; readonly ttq: number }
  readonly momentum: number
  readonly parameters: readonly (Generated & { readonly name: string })[]
  readonly inputs: readonly Generated[]
  readonly labels: readonly (readonly number[])[]
  readonly tga: Run
  readonly ttq: Run
}

const fixture = readFixture<Fixture>('ternary-step')
const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

/** The fixture's network: conv, batch norm, ReLU, fully connected. */
function network(): Model {
  const b = new GraphBuilder('two layers')
  const parameters = new Map<string, Tensor>(fixture.parameters.map(spec => [spec.name, generate(spec)]))
  parameters.set('bn.mean', f32([4])).set('bn.variance', f32([4], [1, 1, 1, 1]))
  const p = (name: string) => b.parameter(name, parameters.get(name)!.shape)
  const x = b.input('x', [1, 1, 6, 6])
  const conv = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
  const norm = ['bn.weight', 'bn.bias', 'bn.mean', 'bn.variance']
  let y = b.op('Conv', [x, p('conv.weight')], conv, 'conv')
  y = b.op('BatchNormalization', [y, ...norm.map(p)], { epsilon: 1e-5, momentum: 0.9 }, 'bn')
  y = b.op('Flatten', [b.relu(y)], { axis: 1 })
  const linear = { alpha: 1, beta: 1, transA: false, transB: true }
  y = b.op('Gemm', [y, p('fc.weight'), p('fc.bias')], linear, 'fc')
  return { graph: b.build([y]), parameters }
}

const sgd: OptimiserConfig = { kind: 'sgd', momentum: fixture.momentum, nesterov: false }
const plain: OptimiserConfig = { kind: 'sgd', momentum: 0, nesterov: false }

interface Started {
  readonly config: StepConfig & {
    readonly learningRate: Readonly<Record<'latent' | 'state' | 'rest', number>>
  }
  readonly layers: QuantizedLayers
  readonly step: StepProgram
  readonly held: Executable
}

async function start(
  method: 'tga' | 'ttq',
  groupOptimisers: StepConfig['groupOptimisers'] = {},
): Promise<Started> {
  const model = network()
  const config = {
    loss: 'cross-entropy',
    optimiser: sgd,
    groupOptimisers,
    weightDecay: { latent: 0, state: 0, rest: 0 },
    batchSize: fixture.batch,
    learningRate: { ...fixture.learningRate, state: fixture.stateRate[method] },
  } as const
  const { layers, state } = quantizeNetwork(model, createQuantizer(method, fixture[method].options), 'all')
  const step = buildStep(model.graph, layers, config)
  const held = await engine.load(step.program)
  await held.setState(new Map([...model.parameters, ...state, ...step.moments]))
  return { config, layers, step, held }
}

async function run({ config, step, held }: Started, index: number): Promise<number> {
  const outputs = await held.run({
    [stepInputs.images]: generate(fixture.inputs[index]!),
    [stepInputs.oneHot]: oneHotLabels(fixture.labels[index]!),
    ...stepScalars(config, index, 1),
  })
  return outputs[step.outputs.loss]!.data[0] as number
}

const data = (tensors: ReadonlyMap<string, Tensor>, name: string) => tensors.get(name)!.data as Float32Array

describe('two steps of TGA against PyTorch', () => {
  it('step the thresholds first, the weights with the new ones, and the running statistics twice', async () => {
    const started = await start('tga', { state: plain })
    const losses = [await run(started, 0)]
    const first = await started.held.getState()
    for (const name of ['conv.weight', 'fc.weight', 'bn.weight', 'bn.bias', 'fc.bias']) {
      // Momentum tensors start at zero and no weight decays, so they hold the gradient.
      assertNear(
        data(first, `${name}@momentum`),
        fixture.tga.step1.gradients[name]!,
        5e-6,
        `gradient of ${name}`,
      )
    }
    losses.push(await run(started, 1))
    assertNear(losses, fixture.tga.losses, 2e-6, 'losses')
    const last = await started.held.getState()
    for (const [name, expected] of Object.entries(fixture.tga.after)) {
      assertNear(data(last, name), expected, 5e-6, `${name} after two steps`)
    }
    await started.held.release()
  })

  it('leave a network whose levels are those of the next forward pass', async () => {
    const started = await start('tga', { state: plain })
    await run(started, 0)
    const tensors = await started.held.getState()
    const { model } = materialize(network().graph, started.layers, tensors)
    for (const [name, { quantizer, context, stateNames, stateShapes }] of started.layers) {
      const b = new GraphBuilder(name)
      const state = stateNames.map((short, i) => [short, b.parameter(`${name}@${short}`, stateShapes[i]!)])
      const { weight } = quantizer.forward(
        b,
        b.parameter(name, context.shape),
        Object.fromEntries(state),
        context,
      )
      const forward = await engine.load({ graph: b.build([weight]), state: new Map() })
      const wanted = [name, ...stateNames.map(short => `${name}@${short}`)]
      await forward.setState(new Map(wanted.map(key => [key, tensors.get(key)!])))
      assert.deepEqual((await forward.run({}))[weight.name]!.data, model.parameters.get(name)!.data)
      await forward.release()
    }
    await started.held.release()
  })
})

describe('two steps of TTQ against PyTorch', () => {
  it('have the three-case latent gradient and the true derivative of both magnitudes', async () => {
    const started = await start('ttq')
    const losses = [await run(started, 0)]
    const first = await started.held.getState()
    const { gradients } = fixture.ttq.step1
    for (const name of ['conv.weight', 'fc.weight', 'bn.weight', 'bn.bias', 'fc.bias']) {
      assertNear(data(first, `${name}@momentum`), gradients[name]!, 5e-6, `gradient of ${name}`)
    }
    const pairOf = (values: Values, name: string) => [
      ...values[`${name}@positive`]!,
      ...values[`${name}@negative`]!,
    ]
    for (const name of ['conv.weight', 'fc.weight']) {
      // Before batch norm the two nearly cancel, so that rounding shows.
      const found = data(first, `${name}@magnitudes@momentum`)
      assertNear(found, pairOf(gradients, name), 1e-4, `gradient of the magnitudes of ${name}`)
    }
    losses.push(await run(started, 1))
    assertNear(losses, fixture.ttq.losses, 2e-6, 'losses')
    const last = await started.held.getState()
    for (const [name, expected] of Object.entries(fixture.ttq.after)) {
      if (!name.includes('@')) assertNear(data(last, name), expected, 5e-6, `${name} after two steps`)
    }
    for (const name of ['conv.weight', 'fc.weight']) {
      assertNear(
        data(last, `${name}@magnitudes`),
        pairOf(fixture.ttq.after, name),
        5e-6,
        `magnitudes of ${name}`,
      )
    }
    await started.held.release()
  })
})
