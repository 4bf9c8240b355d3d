import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changedOptions, checkConfig, type TrainConfig } from './config.ts'
import { defaultConfig } from './presets.ts'

const good = defaultConfig('lenet5', 'float', { spec: 'mnist' })

test('every default configuration is in range', () => {
  for (const method of ['float', 'bpwn', 'twn', 'ec2t']) {
    for (const validation of [0, 100])
      checkConfig(defaultConfig('lenet5', method, { spec: 'mnist' }, { validation }))
  }
})

test('values outside their range are refused by option, expected and found', () => {
  const adam = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
  const cases: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
    [{ epochs: -1 }, /^epochs: expected a whole number from 0 to 100000, found -1/],
    [{ epochs: 1.5 }, /^epochs: .*found 1\.5/],
    [{ epochs: '5' }, /^epochs: .*found "5"/],
    [{ epochs: 0, frozenEpochs: 0 }, /^epochs: expected at least one epoch/],
    [{ batchSize: 1 }, /^batchSize: expected a whole number from 2/],
    [{ seed: -1 }, /^seed/],
    [{ seed: 2 ** 60 }, /^seed/],
    [{ validation: Number.NaN }, /^validation/],
    [{ validation: 0, select: 'best-validation' }, /needs a validation split/],
    [{ select: 'worst' }, /^select: expected best-validation or last, found "worst"/],
    [{ loss: 'l2' }, /^loss: expected cross-entropy, hinge, squared-hinge, found "l2"/],
    [
      { learningRate: { latent: 1, state: 1, rest: -1 } },
      /^learningRate\.rest: expected a number ≥ 0, found -1/,
    ],
    [{ learningRate: { latent: 1, rest: 1 } }, /^learningRate\.state/],
    [{ learningRate: undefined }, /^learningRate\.latent/],
    [{ weightDecay: { latent: Number.POSITIVE_INFINITY, state: 0, rest: 0 } }, /^weightDecay\.latent/],
    [{ optimiser: { kind: 'sgd', momentum: 1, nesterov: false } }, /^optimiser\.momentum: .*found 1/],
    [{ optimiser: { kind: 'sgd', momentum: 0, nesterov: true } }, /^optimiser\.nesterov/],
    [{ optimiser: { ...adam, beta2: 1 } }, /^optimiser\.beta2/],
    [{ optimiser: { ...adam, epsilon: 0 } }, /^optimiser\.epsilon/],
    [{ optimiser: { kind: 'lion' } }, /^optimiser\.kind: expected sgd or adam, found "lion"/],
    [{ optimiser: null }, /^optimiser: expected an object, found null/],
    [{ schedule: { kind: 'constant', warmUpEpochs: -1 } }, /^schedule\.warmUpEpochs/],
    [{ augmentation: undefined }, /^augmentation: expected an object/],
  ]
  for (const [change, message] of cases) {
    const config = { ...good, ...change } as TrainConfig
    assert.throws(() => checkConfig(config), { name: 'SternaError', code: 'train/config', message })
  }
})

test('changed options are found whatever the order of names', () => {
  const { optimiser, model, ...rest } = good
  assert.deepEqual(changedOptions(good, { ...rest, optimiser, model }), [])
  assert.deepEqual(changedOptions(good, JSON.parse(JSON.stringify(good))), [])
  assert.deepEqual(changedOptions(good, { ...good, seed: 2, layers: 'all' }), ['seed', 'layers'])
  const nested = { ...good, weightDecay: { rest: 1, state: 1e-4, latent: 1e-4 } }
  assert.deepEqual(changedOptions(good, nested), ['weightDecay'])
})

test("a method's own optimiser is the default and gives way to what is asked for", () => {
  const ec2t = defaultConfig('lenet5', 'ec2t', { spec: 'mnist' })
  assert.equal(ec2t.optimiser.kind, 'adam')
  assert.deepEqual(ec2t.learningRate, { latent: 1e-4, state: 1e-5, rest: 1e-4 })
  assert.deepEqual(ec2t.weightDecay, { latent: 0, state: 0, rest: 5e-6 })
  assert.ok(ec2t.frozenEpochs > 0)
  const changed = defaultConfig(
    'lenet5',
    'ec2t',
    { spec: 'mnist' },
    { learningRate: { state: 1e-3 }, weightDecay: 0.5, epochs: 3 },
  )
  assert.deepEqual(changed.learningRate, { latent: 1e-4, state: 1e-3, rest: 1e-4 })
  assert.deepEqual(changed.weightDecay, { latent: 0.5, state: 0.5, rest: 0.5 })
  assert.equal(changed.epochs, 3)
  const twn = defaultConfig('lenet5', 'twn', { spec: 'mnist' }, { epochs: 30 })
  assert.deepEqual(twn.schedule, { kind: 'step', epochs: [15, 25], factor: 0.1, warmUpEpochs: 0 })
  assert.equal(twn.frozenEpochs, 0)
})
