import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { halfToFloat } from 'sterna-runtime/format'
import { bf16ToF32, f16ToF32, f32ToF16Bits } from './float16.ts'

test('known values convert both ways', () => {
  const pairs: readonly (readonly [number, number])[] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [1023 * 2 ** -24, 0x03ff],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
  ]
  for (const [value, bits] of pairs) {
    assert.equal(f32ToF16Bits(value), bits, `${value}`)
    assert.ok(Object.is(halfToFloat(bits), value), `0x${bits.toString(16)}`)
  }
  assert.ok(Number.isNaN(halfToFloat(f32ToF16Bits(Number.NaN))))
})

test('ties go to even, at every scale', () => {
  assert.equal(f32ToF16Bits(1 + 2 ** -11), 0x3c00)
  assert.equal(f32ToF16Bits(1 + 3 * 2 ** -11), 0x3c02)
  assert.equal(f32ToF16Bits(1 + 2 ** -11 + 2 ** -23), 0x3c01)
  assert.equal(f32ToF16Bits(65519), 0x7bff)
  assert.equal(f32ToF16Bits(65520), 0x7c00)
  assert.equal(f32ToF16Bits(2 ** -25), 0x0000)
  assert.equal(f32ToF16Bits(2 ** -25 + 2 ** -40), 0x0001)
  assert.equal(f32ToF16Bits(3 * 2 ** -25), 0x0002)
  assert.equal(f32ToF16Bits(2 ** -14 - 2 ** -26), 0x0400)
})

test('every half-precision number survives the way to float32 and back', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits)
  const back = Array.from(f16ToF32(all), f32ToF16Bits)
  for (let bits = 0; bits < 65_536; bits++) {
    const isNotANumber = (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0
    if (isNotANumber) assert.ok((back[bits]! & 0x7fff) > 0x7c00)
    else assert.equal(back[bits], bits)
  }
})

test('no half-precision number is nearer than the one chosen', () => {
  fc.assert(
    fc.property(fc.float({ min: Math.fround(-65519), max: Math.fround(65519), noNaN: true }), value => {
      const bits = f32ToF16Bits(value)
      const distance = Math.abs(halfToFloat(bits) - value)
      for (const other of [bits - 1, bits + 1]) {
        if ((other & 0x7c00) === 0x7c00 || (other & 0x8000) !== (bits & 0x8000) || other < 0) continue
        assert.ok(distance <= Math.abs(halfToFloat(other) - value))
      }
    }),
    { seed: 1, numRuns: 2000 },
  )
})

test('bfloat16 is the upper half of a float32', () => {
  assert.deepEqual(
    [...bf16ToF32(Uint16Array.of(0x3f80, 0xc040, 0x7f80, 0x0001))],
    [1, -3, Infinity, 2 ** -133],
  )
})
