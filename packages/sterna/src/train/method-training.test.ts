import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { load } from 'sterna-runtime'
import { f32, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { GraphBuilder, type Model } from '../graph/index.ts'
import { packModel } from '../pack/index.ts'
import { createQuantizer, methods } from '../ternary/index.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { checkConfig, type TrainConfig } from './config.ts'
import { createEnginePredictor, evaluate } from './evaluate.ts'
import { defaultConfig } from './presets.ts'
import { quantizeNetwork } from './quantized-network.ts'
import { buildStep, stepInputs, stepScalars } from './step-graph.ts'
import { tinyConfig, tinyNetwork, tinyValidation, trainTiny } from './testing/tiny.ts'
import type { TrainResult } from './trainer.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

function done(result: TrainResult) {
  assert.equal(result.status, 'done')
  return (result as TrainResult & { readonly status: 'done' }).network
}

const rates = { latent: 1e-3, state: 1e-2, rest: 1e-3 }

/** What a step does that no other method's does. */
const cases: readonly (readonly [title: string, config: TrainConfig])[] = [
  ['TTQ', tinyConfig('ttq', { learningRate: rates })],
  [
    'TTQ of constant sparsity',
    tinyConfig('ttq', { methodOptions: { threshold: 'sparsity' }, learningRate: rates }),
  ],
  ['TGA', tinyConfig('tga', { learningRate: rates })],
  [
    'a table of methods',
    tinyConfig('tga', {
      learningRate: rates,
      layers: [
        { index: 0, method: 'ec2t' },
        { kind: 'Gemm', method: 'twn', options: { granularity: 'filter' } },
      ],
    }),
  ],
]

describe('a training by methods that learn their levels', () => {
  for (const [title, config] of cases) {
    it(`${title}: ends with the bits of an unbroken one when it is stopped again and again`, async () => {
      const unbroken = done((await trainTiny(engine, config)).result)
      let broken = await trainTiny(engine, config, { stopAfter: 7 })
      while (broken.result.status === 'stopped') {
        const resume = readCheckpoint(writeCheckpoint(broken.checkpoints.at(-1)!), 'test')
        broken = await trainTiny(engine, config, { resume, stopAfter: 7 })
      }
      const found = done(broken.result)
      assert.deepEqual([...found.latent], [...unbroken.latent])
      assert.deepEqual(found.ternary, unbroken.ternary)
      assert.equal(found.ternary.size, 3)
    })

    it(`${title}: its packed file predicts what the engine predicts`, async () => {
      const { model, ternary } = done((await trainTiny(engine, config)).result)
      const set = tinyValidation(config)
      const options = { loss: config.loss, batchSize: 40 }
      const predictor = await createEnginePredictor(engine, model.graph, 40)
      await predictor.setParameters(model.parameters)
      const expected = await evaluate(predictor.predict, set, options)
      await predictor.release()
      const session = await load(packModel(model, ternary, { dense: 'f16', metadata: {} }).bytes)
      const found = await evaluate(async images => session.run(images).output, set, options)
      assert.deepEqual(found.predictions, expected.predictions)
    })
  }

  it('moves the thresholds and magnitudes it learns', async () => {
    for (const [method, state] of [
      ['tga', 'threshold'],
      ['ttq', 'magnitudes'],
    ] as const) {
      const config = tinyConfig(method, { learningRate: rates })
      const start = quantizeNetwork(tinyNetwork(), createQuantizer(method), 'all').state
      const { checkpoints } = await trainTiny(engine, config)
      const key = `fc.weight@${state}`
      assert.notDeepEqual(checkpoints.at(-1)!.tensors.get(key), start.get(key))
    }
  })
})

describe('the defaults of every method', () => {
  for (const { name } of methods) {
    it(`${name}: are in range, and train`, async () => {
      checkConfig(defaultConfig('lenet5', name, { spec: 'mnist' }))
      const config = tinyConfig(name, { epochs: 1, frozenEpochs: 0 })
      assert.ok(
        Number.isFinite((await trainTiny(engine, config)).checkpoints.at(-1)!.progress.history[0]!.trainLoss),
      )
    })
  }

  it('of TGA step the threshold by SGD without momentum, and what is asked for goes before', () => {
    const config = defaultConfig('lenet5', 'tga', { spec: 'mnist' })
    assert.equal(config.optimiser.kind, 'adam')
    assert.deepEqual(config.groupOptimisers, { state: { kind: 'sgd', momentum: 0, nesterov: false } })
    const sgd = { kind: 'sgd', momentum: 0.9, nesterov: false } as const
    assert.equal(
      'groupOptimisers' in defaultConfig('lenet5', 'tga', { spec: 'mnist' }, { optimiser: sgd }),
      false,
    )
  })
})

describe('optimisers of groups', () => {
  const config = tinyConfig('tga')
  const sgd = { kind: 'sgd', momentum: 0.9, nesterov: false } as const
  const check = (groupOptimisers: unknown) => () => checkConfig({ ...config, groupOptimisers } as TrainConfig)

  it('are checked like the one they replace', () => {
    check({ latent: sgd, rest: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } })()
    assert.throws(check({ threshold: sgd }), /groupOptimisers: expected groups out of latent, state, rest/)
    assert.throws(check({ state: { ...sgd, momentum: 1 } }), /groupOptimisers\.state\.momentum: .*found 1/)
    assert.throws(check({ state: null }), /groupOptimisers\.state: expected an object/)
    assert.throws(check([sgd]), /groupOptimisers: expected an object/)
  })

  it('keep their own tensors', () => {
    const { layers } = quantizeNetwork(tinyNetwork(), createQuantizer('tga'), 'all')
    const { moments } = buildStep(tinyNetwork().graph, layers, { ...config, groupOptimisers: { rest: sgd } })
    for (const key of [
      'fc.weight@first',
      'fc.weight@second',
      'fc.weight@threshold@first',
      'fc.bias@momentum',
    ])
      assert.ok(moments.has(key), key)
    assert.ok(!moments.has('fc.bias@first') && !moments.has('fc.weight@momentum'))
  })
})

/** x -> w -> relu -> w again, by one parameter or by two. */
function repeated(isTied: boolean): Model {
  const b = new GraphBuilder('repeated')
  const weight = f32(
    [4, 4],
    [0.5, -0.3, 0.1, 0.7, -0.6, 0.2, 0.4, -0.1, 0.3, 0.9, -0.8, 0.05, -0.2, 0.6, 0.15, -0.45],
  )
  const parameters = new Map<string, Tensor>([['w', weight]])
  const first = b.parameter('w', [4, 4])
  const second = isTied ? first : b.parameter('v', [4, 4])
  if (!isTied) parameters.set('v', weight)
  const linear = { alpha: 1, beta: 1, transA: false, transB: true }
  const hidden = b.relu(b.op('Gemm', [b.input('x', [1, 4]), first, b.constant(0)], linear))
  return { graph: b.build([b.op('Gemm', [hidden, second, b.constant(0)], linear)]), parameters }
}

describe('a weight that is used twice', () => {
  for (const method of ['ttq', 'tga', 'ec2t']) {
    it(`${method}: is quantized once, and its gradients add up`, async () => {
      const config = {
        loss: 'cross-entropy',
        optimiser: { kind: 'sgd', momentum: 0.9, nesterov: false },
        // Thresholds and magnitudes that stay, so that one and two parameters have the same levels.
        learningRate: { latent: 0.1, state: 0, rest: 0 },
        weightDecay: { latent: 0, state: 0, rest: 0 },
        batchSize: 3,
      } as const
      const gradientOf = async (isTied: boolean) => {
        const model = repeated(isTied)
        const { layers, state } = quantizeNetwork(model, createQuantizer(method), 'all')
        assert.equal(layers.size, isTied ? 1 : 2)
        const step = buildStep(model.graph, layers, config)
        const held = await engine.load(step.program)
        await held.setState(new Map([...model.parameters, ...state, ...step.moments]))
        await held.run({
          [stepInputs.images]: f32([3, 4], [1, -1, 0.5, 2, 0.3, 0.8, -0.6, 1.1, -0.4, 0.9, 1.3, 0.2]),
          [stepInputs.oneHot]: f32([3, 4], [1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0]),
          ...stepScalars(config, 0, 1),
        })
        const tensors = await held.getState()
        await held.release()
        return (name: string) => tensors.get(name)!.data as Float32Array
      }
      const tied = await gradientOf(true)
      const apart = await gradientOf(false)
      for (const name of ['', ...(method === 'tga' ? [] : ['@magnitudes'])]) {
        const expected = apart(`w${name}@momentum`).map((g, i) => g + apart(`v${name}@momentum`)[i]!)
        tied(`w${name}@momentum`).forEach((g, i) => {
          assert.ok(Math.abs(g - expected[i]!) < 1e-6, `${name}[${i}]: expected ${expected[i]}, found ${g}`)
        })
        assert.ok(expected.some(g => g !== 0))
      }
    })
  }
})
