import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { SternaError, type Tensor } from '../core/index.ts'
import { createGlyphs } from '../data/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import type { TrainConfig } from './config.ts'
import { createEnginePredictor, evaluate } from './evaluate.ts'
import type { TrainEvent } from './events.ts'
import type { ConfigOverrides } from './presets.ts'
import {
  stepsPerEpoch,
  tinyConfig,
  tinyData,
  tinyNetwork,
  tinyValidation,
  trainTiny,
} from './testing/tiny.ts'
import { type TrainResult, train } from './trainer.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

type Done = TrainResult & { readonly status: 'done' }

function done(result: TrainResult): Done {
  assert.equal(result.status, 'done')
  return result as Done
}

function bits(tensors: ReadonlyMap<string, Tensor>): Record<string, string> {
  const hex = ({ data }: Tensor) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
  return Object.fromEntries([...tensors].map(([name, value]) => [name, hex(value)]))
}

async function failure(work: Promise<unknown>): Promise<SternaError> {
  const error = await work.then(
    () => assert.fail('nothing was thrown'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof SternaError, String(error))
  return error
}

/** Methods and optimisers that differ in what a step keeps. */
const cases: readonly (readonly [title: string, config: TrainConfig])[] = (
  [
    ['float, SGD with momentum', 'float', {}],
    ['float, plain SGD', 'float', { optimiser: { kind: 'sgd', momentum: 0, nesterov: false } }],
    [
      'float, Adam, augmented, warm-up and cosine',
      'float',
      {
        optimiser: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
        augmentation: { pad: 2, flip: true },
        schedule: { kind: 'cosine', final: 0, warmUpEpochs: 0.5 },
      },
    ],
    ['BPWN', 'bpwn', {}],
    ['TWN', 'twn', {}],
    ['TWN, per filter and exact', 'twn', { methodOptions: { granularity: 'filter', threshold: 'exact' } }],
    ['EC2T with a frozen phase', 'ec2t', { learningRate: { latent: 1e-3, state: 1e-3, rest: 1e-3 } }],
  ] satisfies (readonly [string, string, ConfigOverrides])[]
).map(([title, method, overrides]) => [title, tinyConfig(method, overrides)])

describe('a training', () => {
  it('lowers the loss and beats guessing', async () => {
    const { result } = await trainTiny(engine, tinyConfig('float', { epochs: 8, learningRate: 0.05 }))
    const { history, selected } = done(result)
    assert.equal(history.length, 8)
    assert.ok(history.at(-1)!.trainLoss < 0.6 * history[0]!.trainLoss, JSON.stringify(history))
    assert.ok(selected.validationAccuracy! > 0.4, JSON.stringify(selected))
  })

  it('ends with the epoch of the best validation accuracy', async () => {
    const config = tinyConfig('float', { epochs: 6, learningRate: 0.05 })
    const { network, history, selected } = done((await trainTiny(engine, config)).result)
    const best = Math.max(...history.map(record => record.validationAccuracy!))
    assert.equal(selected.validationAccuracy, best)
    const rivals = history.filter(record => record.validationAccuracy === best)
    assert.equal(selected.validationLoss, Math.min(...rivals.map(record => record.validationLoss!)))
    const predictor = await createEnginePredictor(engine, network.model.graph, 40)
    await predictor.setParameters(network.model.parameters)
    const options = { loss: config.loss, batchSize: 40 }
    const { accuracy, loss } = await evaluate(predictor.predict, tinyValidation(config), options)
    await predictor.release()
    assert.equal(accuracy, selected.validationAccuracy)
    assert.ok(Math.abs(loss - selected.validationLoss!) < 1e-5)
  })

  it("ends with the last epoch under select: 'last', also without validation images", async () => {
    const config = tinyConfig('float', { epochs: 3, validation: 0, select: 'last' })
    const { result, checkpoints } = await trainTiny(engine, config)
    const { network, history, selected } = done(result)
    assert.equal(selected, history[2])
    assert.equal('validationAccuracy' in selected, false)
    const last = checkpoints.at(-1)!.tensors
    const held = new Map([...network.model.parameters.keys()].map(name => [name, last.get(name)!]))
    assert.deepEqual(bits(network.model.parameters), bits(held))
  })

  it('tells start, phases, epochs and end in order', async () => {
    const events: TrainEvent[] = []
    const config = tinyConfig('ec2t', { epochs: 1, frozenEpochs: 1 })
    await train({
      config,
      model: tinyNetwork(),
      dataset: tinyData,
      engine,
      onEvent: event => events.push(event),
    })
    const kinds = events.filter(event => event.kind !== 'progress').map(event => event.kind)
    assert.deepEqual(kinds, ['start', 'phase', 'epoch', 'phase', 'epoch', 'done'])
    assert.deepEqual(events[0], { kind: 'start', epochs: 2, stepsPerEpoch })
  })

  it('gives other bits for another seed', async () => {
    const [one, two] = await Promise.all([1, 2].map(seed => trainTiny(engine, tinyConfig('float', { seed }))))
    assert.notDeepEqual(bits(done(one!.result).network.latent), bits(done(two!.result).network.latent))
  })

  it('keeps the assignment in the frozen phase while the magnitudes learn', async () => {
    const config = tinyConfig('ec2t', { learningRate: 1e-3 })
    const { result, checkpoints } = await trainTiny(engine, config)
    const { network, history, selected } = done(result)
    assert.deepEqual(
      history.map(record => `${record.phase} ${record.epoch}`),
      ['train 1', 'train 2', 'frozen 1', 'frozen 2'],
    )
    assert.equal(selected.phase, 'frozen')
    assert.equal(history[2]!.zeros, history[3]!.zeros)
    const [start, end] = [checkpoints[2]!.tensors, checkpoints[3]!.tensors]
    for (const [name, { assignment, positive }] of network.ternary) {
      assert.deepEqual(start.get(name), end.get(name), name)
      assert.deepEqual(Int8Array.from(end.get(name)!.data as Float32Array), assignment, name)
      const magnitudes = (tensors: ReadonlyMap<string, Tensor>) => tensors.get(`${name}@magnitudes`)!.data
      assert.notDeepEqual(magnitudes(start), magnitudes(end), name)
      assert.ok(positive[0]! > 0)
      // What another method starts from is the weight, not the assignment.
      assert.deepEqual(network.latent.get(name), network.model.parameters.get(name), name)
    }
  })

  it('stops before the first step when it is told to', async () => {
    const checkpoints: Checkpoint[] = []
    const config = tinyConfig('float')
    const result = await train({
      config,
      model: tinyNetwork(),
      dataset: tinyData,
      engine,
      signal: AbortSignal.abort(),
      save: async checkpoint => {
        checkpoints.push(checkpoint)
      },
    })
    assert.equal(result.status, 'stopped')
    assert.deepEqual(checkpoints[0]!.progress.position, { epoch: 0, batch: 0 })
    const resumed = await trainTiny(engine, config, { resume: checkpoints[0]! })
    const unbroken = await trainTiny(engine, config)
    assert.deepEqual(bits(done(resumed.result).network.latent), bits(done(unbroken.result).network.latent))
  })
})

describe('a training that is stopped again and again ends with the bits of an unbroken one', () => {
  for (const [title, config] of cases) {
    it(title, async () => {
      const unbroken = await trainTiny(engine, config)
      const again = await trainTiny(engine, config)
      assert.deepEqual(
        writeCheckpoint(again.checkpoints.at(-1)!),
        writeCheckpoint(unbroken.checkpoints.at(-1)!),
      )

      // 7 is coprime to the 10 steps of an epoch: stops fall early, late and right at the end of epochs.
      let broken = await trainTiny(engine, config, { stopAfter: 7 })
      let steps = broken.steps
      const positions = new Set<string>()
      while (broken.result.status === 'stopped') {
        const { progress } = broken.checkpoints.at(-1)!
        positions.add(`${progress.phase}:${progress.position.epoch}:${progress.position.batch}`)
        const resume = readCheckpoint(writeCheckpoint(broken.checkpoints.at(-1)!), 'test')
        broken = await trainTiny(engine, config, { resume, stopAfter: 7 })
        steps += broken.steps
      }
      assert.ok(positions.has('0:0:7') && positions.has('0:1:4'), [...positions].join(' '))
      assert.equal(steps, (config.epochs + config.frozenEpochs) * stepsPerEpoch)
      const [expected, found] = [done(unbroken.result), done(broken.result)]
      assert.deepEqual(found.history, expected.history)
      assert.deepEqual(found.selected, expected.selected)
      assert.deepEqual(bits(found.network.model.parameters), bits(expected.network.model.parameters))
      assert.deepEqual(bits(found.network.latent), bits(expected.network.latent))
      assert.deepEqual(found.network.ternary, expected.network.ternary)
    })
  }
})

describe('a training refuses', () => {
  it('a learning rate that makes the loss explode, and names a tensor', async () => {
    for (const learningRate of [1e3, 1e6, 1e30]) {
      const error = await failure(trainTiny(engine, tinyConfig('float', { learningRate })))
      assert.match(error.code, /^train\/(diverged|non-finite)$/)
      assert.match(error.message, /epoch 1, step \d+: .*(conv1|conv2|fc|bn1|bn2)\./)
      assert.match(error.hint ?? '', /lower learning rate/)
    }
  })

  it('to save tensors that the last step of an epoch made non-finite', async () => {
    // One step an epoch: its loss is seen, what it does to the weights is not.
    const config = tinyConfig('float', { batchSize: 200, learningRate: 1e39 })
    const checkpoints: Checkpoint[] = []
    const error = await failure(
      train({
        config,
        model: tinyNetwork(),
        dataset: tinyData,
        engine,
        save: async checkpoint => {
          checkpoints.push(checkpoint)
        },
      }),
    )
    assert.equal(error.code, 'train/non-finite')
    assert.match(error.message, /^before epoch 2, step 1: non-finite values in .*conv1\.weight/)
    assert.equal(checkpoints.length, 0)
  })

  it('to continue on other images', async () => {
    const config = tinyConfig('float')
    const { checkpoints } = await trainTiny(engine, config, { stopAfter: 2 })
    const dataset = createGlyphs({ train: 240, test: 10, seed: 8 })
    const options = { config, model: tinyNetwork(), dataset, engine, resume: checkpoints[0]! }
    const error = await failure(train(options))
    assert.equal(error.code, 'train/checkpoint')
    assert.ok(error.message.includes(tinyData.digest) && error.message.includes(dataset.digest))
  })

  it('to continue under another configuration, and says which option', async () => {
    const { checkpoints } = await trainTiny(engine, tinyConfig('float'), { stopAfter: 2 })
    const other = tinyConfig('float', {
      epochs: 3,
      batchSize: 25,
      schedule: { kind: 'constant', warmUpEpochs: 0 },
    })
    const error = await failure(trainTiny(engine, other, { resume: checkpoints[0]! }))
    assert.equal(error.code, 'train/checkpoint')
    assert.match(error.message, /schedule, batchSize|batchSize, schedule/)
    assert.match(error.message, /epochs/)
  })

  it('a checkpoint that lacks a tensor', async () => {
    const config = tinyConfig('float')
    const { checkpoints } = await trainTiny(engine, config, { stopAfter: 2 })
    const tensors = new Map(checkpoints[0]!.tensors)
    tensors.delete('fc.weight')
    const error = await failure(trainTiny(engine, config, { resume: { ...checkpoints[0]!, tensors } }))
    assert.equal(error.code, 'train/checkpoint')
    assert.match(error.message, /fc\.weight/)
  })

  it('a frozen phase of a method that has nothing to freeze', async () => {
    for (const method of ['float', 'twn']) {
      const error = await failure(trainTiny(engine, tinyConfig(method, { frozenEpochs: 1 })))
      assert.equal(error.code, 'train/config')
      assert.match(
        error.message,
        new RegExp(`^frozenEpochs: expected 0, because method "${method}" .* found 1$`),
      )
    }
  })

  it('batches larger than the training split', async () => {
    const error = await failure(trainTiny(engine, tinyConfig('float', { batchSize: 201 })))
    assert.match(error.message, /200 images do not fill one batch of 201/)
  })
})
