import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { f32, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { createFixed } from './fixed.ts'
import { layerOf, loadQuantizer } from './testing/quantizer-run.ts'
import type { QuantizerState } from './types.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const quantizer = createFixed()
const perLayer = f32([2, 4], [0.3, 0, -0.2, 0.3, -0.2, 0, 0.3, 0])
const perFilter = f32([2, 4], [0.3, 0, -0.2, 0.3, -0.1, 0, 0.7, 0])

test('a ternary weight is what it was: one pair of magnitudes for a layer, or one a filter where they differ', () => {
  for (const [weight, positive, negative] of [
    [perLayer, [0.3], [0.2]],
    [perFilter, [0.3, 0.7], [0.2, 0.1]],
  ] as const) {
    const state = quantizer.init(weight, layerOf(weight.shape))
    const assigned = quantizer.assign(weight, state, layerOf(weight.shape))
    assert.deepEqual([...assigned.positive], positive.map(Math.fround))
    assert.deepEqual([...assigned.negative], negative.map(Math.fround))
    assert.deepEqual([...assigned.assignment], [...weight.data].map(Math.sign))
  }
})

test('the gradient of a magnitude is the sum over its weights, and none reaches the latent weight', async () => {
  const gradient = [1, 10, 100, 1000, 2, 20, 200, 2000]
  for (const [weight, positive, negative] of [
    [perLayer, [1201], [-102]],
    [perFilter, [1001, 200], [-100, -2]],
  ] as const) {
    const state = quantizer.init(weight, layerOf(weight.shape))
    const run = await loadQuantizer(engine, quantizer, layerOf(weight.shape), shapesOf(state))
    const result = await run.run(weight, state, gradient)
    assert.deepEqual([...result.weight], [...weight.data])
    assert.deepEqual([...result.stateGradients.positive!], positive)
    assert.deepEqual([...result.stateGradients.negative!], negative)
    assert.equal(result.latentGradient, undefined)
  }
})

test('a magnitude does not go below 0', async () => {
  const state = { positive: f32([1, 1], [-0.5]), negative: f32([1, 1], [0.25]) }
  const run = await loadQuantizer(engine, quantizer, layerOf(perLayer.shape), shapesOf(state))
  const result = await run.run(perLayer, state)
  assert.deepEqual([...result.state.positive!.data, ...result.state.negative!.data], [0, 0.25])
})

function shapesOf(state: QuantizerState<Tensor<'f32'>>) {
  return Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, shape]))
}
