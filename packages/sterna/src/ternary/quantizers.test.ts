import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { f32, type Shape } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { createQuantizer } from './methods.ts'
import { goldenWeights, layerOf, loadFor, type QuantizerRun } from './testing/quantizer-run.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const configurations: readonly (readonly [string, Record<string, unknown>])[] = [
  ['bpwn', {}],
  ['bpwn', { scale: 'layer' }],
  ['bpwn', { scale: 'filter' }],
  ['twn', {}],
  ['twn', { thresholdFactor: 0.75, granularity: 'filter' }],
  ['twn', { threshold: 'exact' }],
  ['twn', { threshold: 'exact', granularity: 'filter' }],
  ['ec2t', {}],
  ['ec2t', { entropyWeight: 0, magnitudeFloor: 0 }],
  ['ec2t', { entropyWeight: 1, initialScale: 0.5 }],
  ['ec2t', { publishedFloor: true, publishedSign: true, latentGradientScaling: false }],
  ['ttq', {}],
  ['ttq', { threshold: 'sparsity', sparsity: 0.7, initialMagnitude: 'one' }],
  ['tga', {}],
  ['tga', { initialThreshold: 0.4, scaleGradient: 'none', update: 'joint' }],
]

const shapes: readonly Shape[] = [
  [1, 1],
  [3, 7],
  [4, 2, 3, 3],
  [6, 1, 3, 3],
]

/** Weights at every scale of float32, with ties, constants and one-sided layers among them. */
function weightsOf(size: number): fc.Arbitrary<Float32Array> {
  const any = fc.float({ noNaN: true, noDefaultInfinity: true })
  const usual = fc.float({ min: -1, max: 1, noNaN: true, noDefaultInfinity: true })
  const tied = fc.integer({ min: -3, max: 3 }).map(k => k / 8)
  const list = (item: fc.Arbitrary<number>) => fc.array(item, { minLength: size, maxLength: size })
  const scaled = fc
    .tuple(list(usual), fc.integer({ min: -140, max: 127 }))
    .map(([values, exponent]) => values.map(value => Math.fround(value * 2 ** exponent)))
  return fc
    .oneof(
      list(usual),
      list(tied),
      list(any),
      scaled,
      list(usual).map(values => values.map(Math.abs)),
      usual.map(value => new Array<number>(size).fill(value)),
      fc.constant(new Array<number>(size).fill(0)),
    )
    .map(values => Float32Array.from(values))
}

/** Means of numbers as small as this may lose digits to float32's denormal range. */
const underflow = 1e-36

/** Levels of `assign` beside what the graph computes with. */
function assertSameLevels(found: QuantizerRun, weights: Float32Array, weight: Float32Array, state: object) {
  const { quantizer, layer } = found
  const latent = f32(layer.shape, weights)
  const assigned = quantizer.assign(latent, state as ReturnType<typeof quantizer.init>, layer)
  const perGroup = layer.size / assigned.positive.length
  for (let i = 0; i < layer.size; i++) {
    const group = Math.floor(i / perGroup)
    const sign = assigned.assignment[i]!
    const level = sign === 0 ? 0 : sign * (sign > 0 ? assigned.positive : assigned.negative)[group]!
    assert.ok(Number.isFinite(level) && Number.isFinite(weight[i]!), `weight ${weights[i]}: ${weight[i]}`)
    if (Math.abs(level) > underflow)
      assert.equal(Math.sign(weight[i]!), sign, `weight ${weights[i]}, level ${level}`)
    const exact = quantizer.method !== 'bpwn' && quantizer.method !== 'twn'
    const tolerance = exact ? 0 : 2e-6 * Math.abs(level) + underflow
    assert.ok(
      Math.abs(weight[i]! - level) <= tolerance,
      `weight ${weights[i]}: expected ${level}, found ${weight[i]}`,
    )
  }
}

describe('assign and the graph agree on every level, and stay finite', () => {
  for (const [method, options] of configurations) {
    for (const shape of shapes) {
      it(`${method} ${JSON.stringify(options)} [${shape}]`, async () => {
        const quantizer = createQuantizer(method, options)!
        const layer = layerOf(shape)
        const loaded = await loadFor(engine, quantizer, layer)
        await fc.assert(
          fc.asyncProperty(weightsOf(layer.size), async weights => {
            const latent = f32(shape, weights)
            const initial = quantizer.init(latent, layer)
            const first = await loaded.run(latent, initial)
            assertSameLevels(loaded, weights, first.weight, initial)
            for (const { data } of Object.values(first.state)) assert.ok(data.every(Number.isFinite))
            const second = await loaded.run(latent, first.state)
            assertSameLevels(loaded, weights, second.weight, first.state)
          }),
          { numRuns: 60 },
        )
      })
    }
  }
})

describe('what constrain computes is what init computes', () => {
  // A threshold that is tracked moves where several weights are equal to it.
  for (const [method, options] of configurations.filter(([, { threshold }]) => threshold !== 'sparsity')) {
    it(`${method} ${JSON.stringify(options)}`, async () => {
      // Without the floor, which only constrain applies.
      const quantizer = createQuantizer(
        method,
        method === 'ec2t' ? { ...options, magnitudeFloor: 0 } : options,
      )!
      const layer = layerOf([4, 2, 3, 3], 200)
      const loaded = await loadFor(engine, quantizer, layer)
      const usual = fc.float({ min: -1, max: 1, noNaN: true })
      const values = fc.array(usual, { minLength: layer.size, maxLength: layer.size })
      await fc.assert(
        fc.asyncProperty(values, async weights => {
          const latent = f32(layer.shape, weights)
          const initial = quantizer.init(latent, layer)
          const { state } = await loaded.run(latent, initial)
          for (const [name, { data }] of Object.entries(initial)) {
            data.forEach((value, i) => {
              const found = state[name]!.data[i]!
              assert.ok(Math.abs(found - value) <= 2e-6, `${name}[${i}]: init ${value}, constrain ${found}`)
            })
          }
        }),
        { numRuns: 40 },
      )
    })
  }
})

describe('backward', () => {
  const gradient = [0.1, -0.2, 0.3, 0.05, -0.1, 0.2, -0.3, 0.4, 0.25, -0.05]
  const shape = [2, 5]
  const latent = f32(shape, goldenWeights)
  const float32 = Float32Array.from(gradient)

  async function backward(method: string, options: Record<string, unknown> = {}) {
    const quantizer = createQuantizer(method, options)!
    const loaded = await loadFor(engine, quantizer, layerOf(shape))
    return loaded.run(latent, quantizer.init(latent, layerOf(shape)), gradient)
  }
  const close = (found: ArrayLike<number>, expected: readonly number[]) => {
    assert.equal(found.length, expected.length)
    expected.forEach((value, i) => {
      assert.ok(Math.abs(found[i]! - value) <= 1e-6, `[${i}]: expected ${value}, found ${found[i]}`)
    })
  }

  for (const method of ['bpwn', 'twn']) {
    it(`of ${method} is the straight-through identity`, async () => {
      const { latentGradient, stateGradients } = await backward(method)
      assert.deepEqual(latentGradient, float32)
      assert.deepEqual(stateGradients, {})
    })
  }

  it('of ec2t scales by w_n, 1 and w_p and sums the gradient of each level', async () => {
    // nn00000ppp with w_n = 0.3, w_p = 0.6
    const { latentGradient, stateGradients } = await backward('ec2t', { entropyWeight: 0.1 })
    close(latentGradient!, [0.03, -0.06, 0.3, 0.05, -0.1, 0.2, -0.3, 0.24, 0.15, -0.03])
    close(stateGradients.magnitudes!, [0.4 + 0.25 - 0.05, -(0.1 - 0.2)])
  })

  it('of ec2t has the printed sign for w_n on request', async () => {
    const { stateGradients } = await backward('ec2t', { entropyWeight: 0.1, publishedSign: true })
    close(stateGradients.magnitudes!, [0.6, 0.1 - 0.2])
  })

  it('of ec2t is the identity without latent scaling', async () => {
    const { latentGradient } = await backward('ec2t', { latentGradientScaling: false })
    assert.deepEqual(latentGradient, float32)
  })

  it('of ec2t’s magnitudes is the derivative of the loss by finite differences', async () => {
    const quantizer = createQuantizer('ec2t', { entropyWeight: 0.2 })!
    const loaded = await loadFor(engine, quantizer, layerOf(shape))
    const state = quantizer.init(latent, layerOf(shape))
    const { assignment, positive, negative } = quantizer.assign(latent, state, layerOf(shape))
    // L(q) = Σ c·q + ½ Σ q⁴, so dL/dq = c + 2q³.
    const levels = (wp: number, wn: number) =>
      [...assignment].map(sign => (sign > 0 ? wp : sign < 0 ? -wn : 0))
    const loss = (wp: number, wn: number) =>
      levels(wp, wn).reduce((sum, q, i) => sum + gradient[i]! * q + q ** 4 / 2, 0)
    const [wp, wn] = [positive[0]!, negative[0]!]
    const dLdq = levels(wp, wn).map((q, i) => gradient[i]! + 2 * q ** 3)
    const { stateGradients } = await loaded.run(latent, state, dLdq)
    const h = 1e-4
    close(
      stateGradients.magnitudes!.map(value => value / 10),
      [(loss(wp + h, wn) - loss(wp - h, wn)) / (20 * h), (loss(wp, wn + h) - loss(wp, wn - h)) / (20 * h)],
    )
  })
})

describe('ec2t', () => {
  const shape = [3, 20]
  const layer = layerOf(shape)
  const weights = Float32Array.from({ length: 60 }, (_, i) => Math.sin(i * 1.7) * (i % 7) * 0.1)
  const latent = f32(shape, weights)

  it('assigns the nearest level at γ = 0', async () => {
    const quantizer = createQuantizer('ec2t', { entropyWeight: 0 })!
    const state = quantizer.init(latent, layer)
    const loaded = await loadFor(engine, quantizer, layer)
    const { weight } = await loaded.run(latent, state)
    const [wp, wn] = state.magnitudes!.data as unknown as [number, number]
    weights.forEach((w, i) => {
      const nearest = Math.min(...[-wn, 0, wp].map(level => Math.abs(w - level)))
      assert.ok(Math.abs(w - weight[i]!) <= nearest + 1e-7)
    })
  })

  it('lifts magnitudes to the floor, the unbiased standard deviation times the factor', async () => {
    const quantizer = createQuantizer('ec2t', { magnitudeFloor: 0.5 })!
    const loaded = await loadFor(engine, quantizer, layer)
    const mean = weights.reduce((sum, w) => sum + w, 0) / 60
    const deviation = Math.sqrt(weights.reduce((sum, w) => sum + (w - mean) ** 2, 0) / 59)
    const state = { ...quantizer.init(latent, layer), magnitudes: f32([2], [1, 1e-3]) }
    const { magnitudes } = (await loaded.run(latent, state)).state
    assert.equal(magnitudes!.data[0], 1)
    assert.ok(Math.abs(magnitudes!.data[1]! - 0.5 * deviation) < 1e-6)
  })

  it('keeps its assignment once frozen, and learns the magnitudes', async () => {
    const quantizer = createQuantizer('ec2t')!
    const state = quantizer.init(latent, layer)
    const before = quantizer.assign(latent, state, layer)
    const frozen = quantizer.freeze!(latent, state, layer)
    assert.deepEqual(frozen.quantizer.assign(frozen.latent, frozen.state, layer), before)

    const loaded = await loadFor(engine, frozen.quantizer, layer)
    const moved = { ...frozen.state, magnitudes: f32([2], [0.7, 0.9]) }
    const gradient = Float32Array.from(weights, Math.cos)
    const after = await loaded.run(frozen.latent, moved, gradient)
    assert.equal(after.latentGradient, undefined)
    const sumOver = (sign: number) =>
      gradient.reduce((sum, g, i) => (before.assignment[i] === sign ? sum + g : sum), 0)
    assert.ok(Math.abs(after.stateGradients.magnitudes![0]! - sumOver(1)) < 1e-5)
    assert.ok(Math.abs(after.stateGradients.magnitudes![1]! + sumOver(-1)) < 1e-5)
    after.weight.forEach((q, i) => {
      assert.equal(Math.sign(q), before.assignment[i])
    })
    assert.deepEqual(frozen.quantizer.assign(frozen.latent, after.state, layer).assignment, before.assignment)
  })

  it('keeps the magnitude floor of the latent weight when frozen', async () => {
    const quantizer = createQuantizer('ec2t')!
    const frozen = quantizer.freeze!(latent, quantizer.init(latent, layer), layer)
    const loaded = await loadFor(engine, frozen.quantizer, layer)
    const collapsed = { ...frozen.state, magnitudes: f32([2], [0, 5]) }
    const { magnitudes } = (await loaded.run(frozen.latent, collapsed)).state
    assert.equal(magnitudes!.data[0], frozen.state.floor!.data[0])
    assert.equal(magnitudes!.data[1], 5)
  })
})
