import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { f32 } from '../core/index.ts'
import { createQuantizer } from './methods.ts'
import { goldenWeights, layerOf } from './testing/quantizer-run.ts'
import { exactThresholdOf } from './twn-exact.ts'

function ternarized(
  values: ArrayLike<number>,
  options: Record<string, unknown> = {},
  shape = [values.length],
) {
  const quantizer = createQuantizer('twn', options)!
  const latent = f32(shape, values)
  const state = quantizer.init(latent, layerOf(shape))
  const weight = quantizer.assign(latent, state, layerOf(shape))
  const perGroup = values.length / weight.positive.length
  const error = latent.data.reduce((sum, w, i) => {
    const q = weight.assignment[i]! * weight.positive[Math.floor(i / perGroup)]!
    return sum + (w - q) ** 2
  }, 0)
  return { threshold: state.threshold!.data, ...weight, error }
}

function close(found: number, expected: number, tolerance = 1e-6): void {
  assert.ok(Math.abs(found - expected) <= tolerance, `expected ${expected}, found ${found}`)
}

describe('TWN on the golden weight', () => {
  it('at 0.7: Δ 0.385, α 0.97, error 1.7005', () => {
    const found = ternarized(goldenWeights)
    close(found.threshold[0]!, 0.385)
    assert.deepEqual([...found.assignment], [-1, -1, 0, 0, 0, 0, 0, 1, 1, 1])
    close(found.positive[0]!, 0.97)
    close(found.negative[0]!, 0.97)
    close(found.error, 1.7005)
  })

  it('at 0.75: Δ 0.4125 and the same levels', () => {
    const found = ternarized(goldenWeights, { thresholdFactor: 0.75 })
    close(found.threshold[0]!, 0.4125)
    close(found.positive[0]!, 0.97)
  })

  it('exactly: three kept, α 1.3, error 1.335, Δ within [0.5, 0.9)', () => {
    const found = ternarized(goldenWeights, { threshold: 'exact' })
    assert.deepEqual([...found.assignment], [-1, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    close(found.positive[0]!, 1.3)
    close(found.error, 1.335)
    close(found.threshold[0]!, 0.7)
  })

  it('has the gains S_k²/k of the descending prefixes', () => {
    const magnitudes = goldenWeights.map(Math.abs).sort((a, b) => b - a)
    const expected = [4, 4.5, 5.07, 4.84, 4.7045, 4.42042, 4.08893, 3.71281, 3.36111, 3.025]
    const sumOfSquares = 6.405
    for (let kept = 1; kept <= 9; kept++) {
      if (magnitudes[kept - 1] === magnitudes[kept]) continue
      const threshold = (magnitudes[kept - 1]! + magnitudes[kept]!) / 2
      const found = ternarized(goldenWeights, { thresholdFactor: threshold / 0.55 })
      close(sumOfSquares - found.error, expected[kept - 1]!, 1e-4)
    }
  })

  it('gives each output filter its own Δ and α', () => {
    const found = ternarized(goldenWeights, { granularity: 'filter' }, [2, 5])
    close(found.threshold[0]!, 0.245)
    close(found.threshold[1]!, 0.525)
    assert.deepEqual([...found.assignment], [-1, -1, 0, 0, 0, 0, 0, 0, 1, 1])
    close(found.positive[0]!, 0.75)
    close(found.positive[1]!, 1.45)
  })
})

describe('TWN’s exact threshold', () => {
  const weights = fc
    .array(fc.oneof(fc.integer({ min: -8, max: 8 }), fc.float({ min: -8, max: 8, noNaN: true })), {
      minLength: 1,
      maxLength: 40,
    })
    .map(values => Float32Array.from(values))

  it('has no larger error than any other threshold', () => {
    fc.assert(
      fc.property(weights, values => {
        const best = ternarized(values, { threshold: 'exact' }).error
        for (const magnitude of new Set(values.map(Math.abs))) {
          const kept = values.filter(w => Math.abs(w) > magnitude)
          const sum = kept.reduce((total, w) => total + Math.abs(w), 0)
          const squares = values.reduce((total, w) => total + w * w, 0)
          const error = squares - (kept.length === 0 ? 0 : sum ** 2 / kept.length)
          assert.ok(best <= error * (1 + 1e-5) + 1e-6, `found ${best}, at Δ ${magnitude} ${error}`)
        }
      }),
    )
  })

  it('is a fixed point: Δ between the kept and the dropped weights straddles α/2', () => {
    fc.assert(
      fc.property(weights, values => {
        const { assignment, positive } = ternarized(values, { threshold: 'exact' })
        values.forEach((w, i) => {
          const half = positive[0]! / 2
          if (assignment[i] !== 0) assert.ok(Math.abs(w) >= half * (1 - 1e-5))
          else assert.ok(Math.abs(w) <= half * (1 + 1e-5) + 1e-30)
        })
      }),
    )
  })

  it('keeps all weights of one magnitude, and none that are zero', () => {
    assert.ok(exactThresholdOf(Float32Array.of(3, -3, 3)) < 3)
    assert.equal(exactThresholdOf(Float32Array.of(0, 0)), 0)
  })

  it('stays below a kept weight whose neighbour in float32 is dropped', () => {
    const kept = Math.fround(1 + 2 ** -23)
    assert.ok(exactThresholdOf(Float32Array.of(kept, 1)) < kept)
  })
})
