import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { f32 } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { inverseMills } from './gaussian-tail.ts'
import { createQuantizer } from './methods.ts'
import { goldenWeights, layerOf, loadFor } from './testing/quantizer-run.ts'
import { fitIndex, fitOf } from './tga-fit.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const shape = [2, 5]
const layer = layerOf(shape)
const latent = f32(shape, goldenWeights)
const gradient = [0.1, -0.2, 0.3, 0.05, -0.1, 0.2, -0.3, 0.4, 0.25, -0.05]

function close(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-6): void {
  assert.equal(found.length, expected.length)
  for (let i = 0; i < expected.length; i++) {
    const message = `[${i}]: expected ${expected[i]}, found ${found[i]}`
    assert.ok(Math.abs(found[i]! - expected[i]!) <= tolerance, message)
  }
}

const stateOf = (weights: readonly number[], threshold: number) => ({
  threshold: f32([], [threshold]),
  fit: f32([fitIndex.count], fitOf(Float32Array.from(weights), threshold)),
})

async function runWith(threshold: number, options: Record<string, unknown> = {}, given = gradient) {
  const quantizer = createQuantizer('tga', options)!
  const loaded = await loadFor(engine, quantizer, layer)
  return loaded.run(latent, stateOf(goldenWeights, threshold), given)
}

describe('the mean of a normal distribution beyond a threshold', () => {
  it('has the values of λ(a) = φ(a) / (1 − Φ(a))', () => {
    // From the complementary error function of the C library.
    const known = [
      [0, 0.797884560803],
      [0.5, 1.14107777037],
      [1, 1.52513527616],
      [2, 2.37321553282],
      [3, 3.28309865493],
    ] as const
    for (const [a, value] of known) assert.ok(Math.abs(inverseMills(a) - value) < 1e-10, `${a}`)
  })
})

describe('tga on the golden vector, δ = 0.5', () => {
  it('has the closed form for S, around the mean', async () => {
    const { weight } = await runWith(0.5)
    const S = 1.1998833
    close(weight, [-S, -S, 0, 0, 0, 0, 0, 0, S, S])
    const quantizer = createQuantizer('tga')!
    const { assignment, positive, negative } = quantizer.assign(latent, stateOf(goldenWeights, 0.5), layer)
    assert.deepEqual([...assignment], [-1, -1, 0, 0, 0, 0, 0, 0, 1, 1])
    close([...positive, ...negative], [S, S])
  })

  it('has dL/dδ and dL/dw of both paths', async () => {
    const { latentGradient, stateGradients } = await runWith(0.5, { thresholdGradientLimit: 10 })
    close(stateGradients.threshold!, [0.2247339])
    close(
      latentGradient!,
      [0.092512, -0.191868, 0.317504, 0.07219, -0.076248, 0.226876, -0.266876, 0.43781, 0.301868, 0.036233],
    )
  })

  it('clamps dL/dδ to ±0.001 and turns it round for a negative δ', async () => {
    close((await runWith(0.5)).stateGradients.threshold!, [0.001], 1e-9)
    close((await runWith(-0.5)).stateGradients.threshold!, [-0.001], 1e-9)
    close((await runWith(-0.5, { thresholdGradientLimit: 10 })).stateGradients.threshold!, [-0.2247339])
    assert.deepEqual((await runWith(-0.5)).weight, (await runWith(0.5)).weight)
  })

  it('cuts Δ at 3σ, where δ gets no gradient', async () => {
    const { weight, stateGradients } = await runWith(7)
    assert.ok(weight.every(value => value === 0))
    const { fit } = stateOf(goldenWeights, 7)
    close(
      [fit.data[fitIndex.upper]!, fit.data[fitIndex.scale]!],
      [0.2 + 3 * 0.8168367, 0.2 + 0.8168367 * 3.2830987],
      2e-6,
    )
    assert.deepEqual([...stateGradients.threshold!], [0])
  })

  it('is the straight-through identity for the weight without the scale path', async () => {
    const { latentGradient } = await runWith(0.5, { scaleGradient: 'none' })
    assert.deepEqual(latentGradient, Float32Array.from(gradient))
  })
})

describe('tga against finite differences', () => {
  // With the signs held, the loss Σ g·q is smooth in δ and, through μ and σ, in every weight.
  const scaleAt = (weights: readonly number[], threshold: number) =>
    fitOf(Float64Array.from(weights) as unknown as Float32Array, threshold)[fitIndex.scale]!
  const signs = [-1, -1, 0, 0, 0, 0, 0, 0, 1, 1]
  const r = signs.reduce((sum, sign, i) => sum + sign * gradient[i]!, 0)
  const h = 1e-5

  for (const threshold of [0.41, 0.5, 0.69, -0.5]) {
    it(`has the derivative by δ at ${threshold}`, async () => {
      const { stateGradients } = await runWith(threshold, { thresholdGradientLimit: 10 })
      const difference =
        (scaleAt(goldenWeights, threshold + h) - scaleAt(goldenWeights, threshold - h)) / (2 * h)
      close(stateGradients.threshold!, [r * difference])
    })
  }

  it('adds the derivative of S by every weight to the straight-through gradient', async () => {
    const { latentGradient } = await runWith(0.5)
    const expected = goldenWeights.map((_, i) => {
      const moved = (by: number) => goldenWeights.map((w, j) => (i === j ? w + by : w))
      return gradient[i]! + (r * (scaleAt(moved(h), 0.5) - scaleAt(moved(-h), 0.5))) / (2 * h)
    })
    close(latentGradient!, expected)
  })
})

describe('tga at the edges', () => {
  it('holds S above zero where the mean is far below it, and gives nothing a gradient through S then', async () => {
    const weights = [-2, -2.1, -1.9, -2.05, -1.95, -2, -2.2, -1.8, -2, -2]
    const quantizer = createQuantizer('tga')!
    const loaded = await loadFor(engine, quantizer, layer)
    const { latentGradient, stateGradients, state } = await loaded.run(
      f32(shape, weights),
      stateOf(weights, 0.05),
      gradient,
    )
    assert.deepEqual(latentGradient, Float32Array.from(gradient))
    assert.deepEqual([...stateGradients.threshold!], [0])
    assert.equal(state.fit!.data[fitIndex.scale], 2 ** -100)
  })

  it('makes a constant layer all zeros', async () => {
    const quantizer = createQuantizer('tga')!
    const constant = f32(shape, new Array(10).fill(0.25))
    const state = quantizer.init(constant, layer)
    assert.ok(quantizer.assign(constant, state, layer).assignment.every(sign => sign === 0))
  })
})
