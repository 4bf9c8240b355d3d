import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FilterRequantization } from '../../plan/integer/requantize.ts'
import { createRandom } from '../testing/models.ts'
import {
  addSaturated,
  averageBytes,
  connectBytes,
  convolveBytes,
  dequantizeBytes,
  multiplyRounded,
  nearestEven,
  quantizeBytes,
} from './integer.ts'

describe('integer arithmetic', () => {
  test('multiplyRounded and addSaturated are those of WebAssembly', () => {
    for (const [a, b, product] of [
      [0x7fff, 0x7fff, 0x7ffe],
      [-0x8000, -0x8000, 0x7fff],
      [-0x8000, 0x7fff, -0x7fff],
      [100, -0x8000, -100],
      [1, 0x4000, 1],
      [-1, 0x4000, 0],
      [3, 0x4000, 2],
      [-3, 0x4000, -1],
    ] as const) {
      assert.equal(multiplyRounded(a, b), product, `${a} · ${b}`)
    }
    assert.deepEqual(
      [addSaturated(0x7000, 0x1000), addSaturated(-0x7000, -0x1001), addSaturated(-5, 3)],
      [0x7fff, -0x8000, -2],
    )
  })

  test('numbers become the nearest byte, ties the even one, and come back within half a step', () => {
    assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, 7].map(nearestEven), [0, 2, 2, -0, -2, -2, 0, 7])
    const range = { scale: 0.5, zero: 10, max: 63 }
    const x = Float32Array.of(0, 0.25, 0.75, -0.25, -5, -5.01, 26.5, 26.74, 1e30, Infinity, -Infinity, NaN)
    const bytes = quantizeBytes(x, range)
    assert.deepEqual([...bytes], [10, 10, 12, 10, 0, 0, 63, 63, 63, 63, 0, 10])
    assert.deepEqual([...dequantizeBytes(bytes.subarray(0, 5), range)], [0, 0, 1, 0, -5])
    const random = createRandom(1)
    for (let round = 0; round < 1000; round++) {
      const finer = { scale: Math.fround(random() + 1e-3), zero: 100, max: 255 }
      const value = Float32Array.of((random() * 255 - 100) * finer.scale)
      const [back] = dequantizeBytes(quantizeBytes(value, finer), finer)
      assert.ok(Math.abs(back! - value[0]!) <= 0.5001 * finer.scale, `${value} became ${back}`)
    }
  })

  const plain: FilterRequantization = {
    plusFirst: false,
    ratio: -0x8000,
    multiplier: 0x4000,
    doublings: 0,
    offset: 7,
    residualMultiplier: 0,
    shift: 1,
    parts: 1,
  }
  const window = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
  const bounds = { inPart: 258, inputZero: 0, lowest: 0, highest: 127 }

  test('a convolution sums bytes of each sign, scales, adds its offset and clamps', () => {
    // q = (round((a − b + d) / 2) + 7) >> 1 = (a − b + d) / 4 + 3, about
    const layer = {
      ...bounds,
      attributes: window,
      assignment: Int8Array.of(1, -1, 0, 1),
      weightShape: [1, 2, 1, 2],
      filters: [plain],
    }
    const x = Uint8Array.of(10, 20, 60, 0, 0, 127, 40, 100, 50, 3, 0, 1) // [2, 2, 3]
    assert.deepEqual([...convolveBytes(layer, x, [2, 2, 3], [1, 2, 2])], [26, 6, 3, 0])
    const relu6 = { ...layer, lowest: 5, highest: 20 }
    assert.deepEqual([...convolveBytes(relu6, x, [2, 2, 3], [1, 2, 2])], [20, 6, 5, 5])
  })

  test('a filter in parts scales each sum by itself and adds them up', () => {
    // Two parts of one weight of each sign: (a − b) / 2 and (c − d) / 2, each rounded.
    const layer = {
      ...bounds,
      inPart: 1,
      attributes: window,
      assignment: Int8Array.of(1, -1, 1, -1),
      weightShape: [1, 4, 1, 1],
      filters: [{ ...plain, offset: 0, shift: 0, parts: 2 }],
    }
    assert.deepEqual([...convolveBytes(layer, Uint8Array.of(9, 4, 20, 13), [4, 1, 1], [1, 1, 1])], [3 + 4])
  })

  test('a sum is doubled before it is scaled by a factor of 1 or more', () => {
    // 3 (a − b) + 5
    const layer = {
      ...bounds,
      attributes: window,
      assignment: Int8Array.of(1, -1),
      weightShape: [1, 2, 1, 1],
      filters: [{ ...plain, multiplier: 0x6000, doublings: 2, offset: 5, shift: 0 }],
    }
    const x = Uint8Array.of(9, 4, 40, 4, 9, 0) // [2, 1, 3]
    assert.deepEqual([...convolveBytes(layer, x, [2, 1, 3], [1, 1, 3])], [20, 0, 125])
  })

  test('padding is the byte of 0, strides and groups move the window, the smaller magnitude is scaled first', () => {
    // The first filter: q = (plus · 1/2 − minus) / 1, the second the same with the signs changed.
    const half = { ...plain, ratio: -0x4000, multiplier: -0x8000, offset: 0, shift: 0 }
    const layer = {
      ...bounds,
      inputZero: 8,
      highest: 255,
      attributes: { ...window, strides: [2, 2], pads: [0, 1, 0, 0], groups: 2 } as const,
      assignment: Int8Array.of(1, 1, 1, -1),
      weightShape: [2, 1, 1, 2],
      filters: [
        { ...half, plusFirst: true },
        { ...half, multiplier: 0x7fff },
      ],
    }
    const x = Uint8Array.of(4, 6, 10, 20, 30, 40) // [2, 1, 3], padded on the left with 8
    assert.deepEqual([...convolveBytes(layer, x, [2, 1, 3], [2, 1, 2])], [6, 8, 0, 10])
  })

  test('a residual is added at its own scale', () => {
    const layer = {
      ...bounds,
      attributes: window,
      assignment: Int8Array.of(1),
      weightShape: [1, 1, 1, 1],
      filters: [{ ...plain, multiplier: 0x4000, offset: 1, shift: 1, residualMultiplier: 256 }],
      residual: { bytes: Uint8Array.of(5, 45, 127), zero: 5 },
    }
    // round(x / 2) + residual, rounded to a half
    assert.deepEqual([...convolveBytes(layer, Uint8Array.of(8, 8, 200), [1, 1, 3], [1, 1, 3])], [2, 22, 111])
  })

  test('a fully connected layer is exact but for its three float32 roundings', () => {
    const layer = {
      assignment: Int8Array.of(1, -1, 1, 0, -1, -1),
      plus: Float32Array.of(0.5, 0.1),
      minus: Float32Array.of(-0.25, -0.1),
      bias: Float32Array.of(1, 0.3),
      inputZero: 2,
    }
    const output = connectBytes(layer, Uint8Array.of(12, 6, 4))
    assert.deepEqual([...output], [6, Math.fround(Math.fround(6 * Math.fround(-0.1)) + Math.fround(0.3))])
    assert.deepEqual(
      [
        ...connectBytes(
          { ...layer, plus: Float32Array.of(1), minus: Float32Array.of(0) },
          Uint8Array.of(2, 2, 3),
        ),
      ],
      [2, Math.fround(0.3)],
    )
  })

  test('a mean is that of the numbers', () => {
    const bytes = Uint8Array.of(3, 5, 7, 9, 255, 255, 255, 254)
    assert.deepEqual([...averageBytes(bytes, 2, { scale: 0.5, zero: 4, max: 255 })], [1, 125.375])
  })
})
