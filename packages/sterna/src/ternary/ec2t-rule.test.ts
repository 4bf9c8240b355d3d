import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { f32 } from '../core/index.ts'
import { type Ec2tOptions, layerEntropyWeight } from './ec2t-options.ts'
import {
  decisionThresholds,
  entropyLimits,
  extremesOf,
  initialMagnitudes,
  probabilitiesOf,
  type Signed,
  standardDeviation,
} from './ec2t-rule.ts'
import { createQuantizer } from './methods.ts'
import { goldenWeights, layerOf } from './testing/quantizer-run.ts'

const golden = Float32Array.from(goldenWeights)
const floor: Pick<Ec2tOptions, 'probabilityFloor' | 'publishedFloor'> = {
  probabilityFloor: 0.5,
  publishedFloor: false,
}

function close(found: number, expected: number, tolerance = 1e-6): void {
  assert.ok(Math.abs(found - expected) <= tolerance, `expected ${expected}, found ${found}`)
}

/** Assignment and state at the start, w_p and w_n from s. */
function assigned(values: ArrayLike<number>, options: Record<string, unknown>, largestSize?: number) {
  const shape = [values.length]
  const quantizer = createQuantizer('ec2t', options)!
  const layer = layerOf(shape, largestSize)
  const state = quantizer.init(f32(shape, values), layer)
  const { assignment } = quantizer.assign(f32(shape, values), state, layer)
  return { signs: [...assignment].map(sign => (sign > 0 ? 'p' : sign < 0 ? 'n' : '0')).join(''), state }
}

describe('EC2T’s rule on the golden weight, s = 0.3', () => {
  const magnitudes = initialMagnitudes(golden, 0.3)

  it('starts from s times the extremes', () => {
    close(magnitudes.positive, 0.6)
    close(magnitudes.negative, 0.3)
  })

  it('floors the probability of zero and keeps the sum at 1', () => {
    const found = probabilitiesOf(golden, magnitudes, floor)
    close(found.negative, 0.25)
    close(found.zero, 0.5)
    close(found.positive, 0.25)
  })

  it('repeats the sequential floor of the published code on request', () => {
    const found = probabilitiesOf(golden, magnitudes, { ...floor, publishedFloor: true })
    close(found.negative, 0.25)
    close(found.zero, 0.5)
    close(found.positive, 0.245455)
  })

  it('finds λ_max of both signs', () => {
    const limits = entropyLimits(extremesOf(golden), magnitudes, probabilitiesOf(golden, magnitudes, floor))
    close(limits.negative, 0.51)
    close(limits.positive, 2.04)
  })

  it('finds the thresholds at γδ = 0.5', () => {
    const extremes = extremesOf(golden)
    const limits = { positive: 2.04, negative: 0.51 }
    const found = decisionThresholds(extremes, magnitudes, limits, 0.5)
    close(found.negative, 0.575)
    close(found.positive, 0.5125)
  })

  for (const [entropyWeight, signs] of [
    [0, 'nnn0000ppp'],
    [0.1, 'nn00000ppp'],
    [0.3, 'nn00000ppp'],
    [0.5, 'n0000000pp'],
    [1, 'n0000000pp'],
  ] as const) {
    it(`assigns ${signs} at γδ = ${entropyWeight}`, () => {
      assert.equal(assigned(goldenWeights, { entropyWeight, initialScale: 0.3 }).signs, signs)
    })
  }
})

describe('EC2T’s layer size factor', () => {
  for (const [size, expected] of [
    [432, 0.05878],
    [2304, 0.10714],
    [9216, 0.28571],
    [36_864, 1],
  ] as const) {
    it(`is ${expected} for ${size} of 36864 weights at ς = 0.05`, () => {
      const found = layerEntropyWeight(
        { entropyWeight: 1, sizeSmoothing: 0.05 },
        { size, largestSize: 36_864 },
      )
      close(found, expected, 5e-6)
    })
  }

  it('is proportional to the size at ς = 0', () => {
    const found = layerEntropyWeight(
      { entropyWeight: 1, sizeSmoothing: 0 },
      { size: 432, largestSize: 36_864 },
    )
    close(found, 432 / 36_864, 1e-12)
  })

  it('leaves more zeros in the larger of two equal layers’ rules', () => {
    const small = assigned(goldenWeights, { entropyWeight: 0.5 }, 1000).signs
    const large = assigned(goldenWeights, { entropyWeight: 0.5 }, 10).signs
    assert.ok(large.replaceAll(/[np]/g, '').length > small.replaceAll(/[np]/g, '').length)
  })
})

describe('EC2T’s guards', () => {
  it('set no bound where a sign has no weights', () => {
    const weights = Float32Array.of(0.1, 0.5, 1)
    const magnitudes: Signed = { positive: 0.3, negative: 0.3 }
    const limits = entropyLimits(extremesOf(weights), magnitudes, probabilitiesOf(weights, magnitudes, floor))
    assert.equal(limits.negative, Number.POSITIVE_INFINITY)
    assert.ok(Number.isFinite(limits.positive))
  })

  it('set no bound where the information of a sign equals that of zero', () => {
    const limits = entropyLimits(
      { positive: 1, negative: 1 },
      { positive: 0.3, negative: 0.3 },
      { positive: 0.5, negative: 0.01, zero: 0.5 },
    )
    assert.equal(limits.positive, Number.POSITIVE_INFINITY)
    assert.ok(Number.isFinite(limits.negative))
  })

  it('assign the nearest level where neither sign sets a bound', () => {
    const infinite = { positive: Number.POSITIVE_INFINITY, negative: Number.POSITIVE_INFINITY }
    const found = decisionThresholds(
      { positive: 1, negative: 1 },
      { positive: 0.5, negative: 0.25 },
      infinite,
      1,
    )
    assert.deepEqual(found, { positive: 0.25, negative: 0.125 })
  })

  it('count an empty level once', () => {
    const weights = Float32Array.of(1, 1, 1, 1)
    const found = probabilitiesOf(weights, { positive: 1, negative: 1 }, floor)
    assert.ok(found.negative > 0 && found.zero > 0)
    close(found.positive + found.negative + found.zero, 1, 1e-12)
  })

  it('take the standard deviation of fewer than two weights as 0', () => {
    assert.equal(standardDeviation(Float32Array.of(3)), 0)
    close(standardDeviation(Float32Array.of(1, 2, 3, 4)), Math.sqrt(5 / 3))
  })
})

/** Weights that look like a layer's: both signs, one scale, ties. */
const layerWeights = fc
  .array(
    fc.oneof(
      fc.integer({ min: -40, max: 40 }).map(k => k / 16),
      fc.float({ min: -2, max: 2, noNaN: true }),
    ),
    {
      minLength: 1,
      maxLength: 60,
    },
  )
  .map(values => Float32Array.from(values))

describe('EC2T’s two thresholds', () => {
  it('choose the level of least cost (w − m)² − λ log2 P for any weights and γδ', () => {
    fc.assert(
      fc.property(layerWeights, fc.double({ min: 0, max: 0.999, noNaN: true }), (weights, share) => {
        const magnitudes = initialMagnitudes(weights, 0.4)
        if (magnitudes.positive === 0 || magnitudes.negative === 0) return
        const extremes = extremesOf(weights)
        const probabilities = probabilitiesOf(weights, magnitudes, floor)
        const limits = entropyLimits(extremes, magnitudes, probabilities)
        const lambdaMax = Math.min(limits.positive, limits.negative)
        const lambda = lambdaMax === Number.POSITIVE_INFINITY ? 0 : share * lambdaMax
        const thresholds = decisionThresholds(extremes, magnitudes, limits, share)
        for (const w of weights) {
          const costs = [
            (w + magnitudes.negative) ** 2 - lambda * Math.log2(probabilities.negative),
            w ** 2 - lambda * Math.log2(probabilities.zero),
            (w - magnitudes.positive) ** 2 - lambda * Math.log2(probabilities.positive),
          ]
          const chosen = w <= -thresholds.negative ? 0 : w > thresholds.positive ? 2 : 1
          assert.ok(costs[chosen]! <= Math.min(...costs) + 1e-6, `w ${w}: costs ${costs}, chose ${chosen}`)
        }
      }),
    )
  })

  it('never grow denser as γ grows', () => {
    fc.assert(
      fc.property(layerWeights, fc.double({ min: 0, max: 1, noNaN: true }), (weights, entropyWeight) => {
        const kept = (gamma: number) =>
          assigned(weights, { entropyWeight: gamma }).signs.replaceAll('0', '').length
        assert.ok(kept(entropyWeight) <= kept(entropyWeight / 2))
      }),
    )
  })

  it('leave a published sequential floor’s probabilities positive', () => {
    fc.assert(
      fc.property(
        layerWeights,
        fc.double({ min: 0.5, max: 0.99, noNaN: true }),
        (weights, probabilityFloor) => {
          const magnitudes = initialMagnitudes(weights, 0.1)
          const found = probabilitiesOf(weights, magnitudes, { probabilityFloor, publishedFloor: true })
          assert.ok(Object.values(found).every(Number.isFinite))
        },
      ),
    )
  })
})
