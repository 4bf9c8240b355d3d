import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32 } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { createQuantizer } from './methods.ts'
import { goldenWeights, layerOf, loadFor } from './testing/quantizer-run.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const shape = [2, 5]
const layer = layerOf(shape)
const latent = f32(shape, goldenWeights)
const gradient = [0.1, -0.2, 0.3, 0.05, -0.1, 0.2, -0.3, 0.4, 0.25, -0.05]

function close(found: ArrayLike<number>, expected: readonly number[], tolerance = 1e-6): void {
  assert.equal(found.length, expected.length)
  expected.forEach((value, i) => {
    assert.ok(Math.abs(found[i]! - value) <= tolerance, `[${i}]: expected ${value}, found ${found[i]}`)
  })
}

async function runWith(magnitudes: readonly [number, number], options: Record<string, unknown> = {}) {
  const quantizer = createQuantizer('ttq', options)!
  const loaded = await loadFor(engine, quantizer, layer)
  const state = { ...quantizer.init(latent, layer), magnitudes: f32([2], [...magnitudes]) }
  return loaded.run(latent, state, gradient)
}

describe('ttq on the golden vector, t = 0.05', () => {
  it('keeps what is strictly beyond Δ = 0.1', async () => {
    const quantizer = createQuantizer('ttq', { initialMagnitude: 'one' })!
    const state = quantizer.init(latent, layer)
    close(state.threshold!.data, [0.1])
    assert.deepEqual([...state.magnitudes!.data], [1, 1])
    assert.deepEqual(
      [...quantizer.assign(latent, state, layer).assignment],
      [-1, -1, -1, 0, 0, 0, 1, 1, 1, 1],
    )
  })

  it('starts the magnitudes at the means of the kept weights', () => {
    const { magnitudes } = createQuantizer('ttq')!.init(latent, layer)
    close(magnitudes!.data, [(0.3 + 0.45 + 0.9 + 2) / 4, 1.7 / 3])
  })

  it('scales the latent gradient by W_p, 1 and W_n and sums the gradient of each level', async () => {
    const { weight, latentGradient, stateGradients } = await runWith([0.6, 0.3])
    close(weight, [-0.3, -0.3, -0.3, 0, 0, 0, 0.6, 0.6, 0.6, 0.6])
    close(latentGradient!, [0.03, -0.06, 0.09, 0.05, -0.1, 0.2, -0.18, 0.24, 0.15, -0.03])
    close(stateGradients.magnitudes!, [-0.3 + 0.4 + 0.25 - 0.05, -(0.1 - 0.2 + 0.3)])
  })

  it('has the printed sign of dL/dW_n on request', async () => {
    const { stateGradients } = await runWith([0.6, 0.3], { publishedSign: true })
    close(stateGradients.magnitudes!, [0.3, 0.2])
  })

  it('holds the magnitudes above zero', async () => {
    const { state } = await runWith([-0.5, 0])
    close(state.magnitudes!.data, [1e-6, 1e-6], 1e-12)
  })
})

describe('ttq of constant sparsity', () => {
  const options = { threshold: 'sparsity', sparsity: 0.4 }

  it('zeroes the share that is asked for, ties together', () => {
    for (const [sparsity, zeros] of [
      [0, 1],
      [0.4, 4],
      [0.5, 5],
      [0.9, 9],
    ] as const) {
      const quantizer = createQuantizer('ttq', { ...options, sparsity })!
      const { assignment } = quantizer.assign(latent, quantizer.init(latent, layer), layer)
      assert.equal(assignment.filter(sign => sign === 0).length, zeros, `${sparsity}`)
    }
    const tied = f32(shape, [1, -1, 1, 1, -1, 1, 1, 1, 1, 2])
    const quantizer = createQuantizer('ttq', options)!
    const { assignment } = quantizer.assign(tied, quantizer.init(tied, layer), layer)
    assert.deepEqual([...assignment], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  })

  it('follows the share while the weights move', async () => {
    const shape = [8, 50]
    const wide = layerOf(shape)
    const quantizer = createQuantizer('ttq', { ...options, sparsity: 0.6 })!
    const loaded = await loadFor(engine, quantizer, wide)
    const weights = (scale: number) =>
      f32(
        shape,
        Float32Array.from({ length: 400 }, (_, i) => scale * Math.sin(i * 1.3) * (i % 11)),
      )
    let state = quantizer.init(weights(1), wide)
    const zeros = (scale: number) =>
      quantizer.assign(weights(scale), state, wide).assignment.filter(sign => sign === 0).length / 400
    assert.ok(Math.abs(zeros(1) - 0.6) <= 0.005)
    assert.ok(Math.abs(zeros(2) - 0.6) > 0.2)
    for (let step = 0; step < 60; step++) state = (await loaded.run(weights(2), state)).state
    assert.ok(Math.abs(zeros(2) - 0.6) <= 0.01, `${zeros(2)}`)
  })
})
