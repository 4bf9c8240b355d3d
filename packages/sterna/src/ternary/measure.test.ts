import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { measureLayers, measureTernary } from './measure.ts'

const of = (...signs: number[]) => ({ assignment: Int8Array.from(signs) })

describe('measures of ternary weights', () => {
  it('count signs and give the order-0 entropy', () => {
    const found = measureTernary(of(1, 0, 0, -1))
    assert.deepEqual(found, {
      size: 4,
      positives: 1,
      zeros: 2,
      negatives: 1,
      zeroFraction: 0.5,
      entropyBits: 1.5,
    })
  })

  it('are 0 bits for one repeated level and for nothing', () => {
    assert.equal(measureTernary(of(0, 0, 0)).entropyBits, 0)
    assert.deepEqual(measureTernary(of()).entropyBits, 0)
    assert.equal(measureTernary(of()).zeroFraction, 0)
  })

  it('add up over layers, each coded with its own frequencies', () => {
    const { layers, total } = measureLayers(
      new Map([
        ['a', of(1, 0, 0, -1)],
        ['b', of(1, 1, 1, 1, 1, 1, 1, 1)],
      ]),
    )
    assert.equal(layers.get('b')!.entropyBits, 0)
    assert.equal(total.size, 12)
    assert.equal(total.zeroFraction, 2 / 12)
    assert.equal(total.entropyBits, (4 * 1.5) / 12)
  })
})
