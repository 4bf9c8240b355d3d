import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decode, encode } from 'fast-png'
import { zlibSync } from 'fflate'
import { crc32 } from 'sterna-runtime'
import { SternaError } from '../core/index.ts'
import {
  assertRefusesTruncation,
  assertSurvivesMutation,
  expected,
  fixture,
  fixtureNames,
} from './fixtures.node.ts'
import { readPng, writePng } from './png.ts'

/** Puts right the checksums that an edit broke, so that what is behind them is reached. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const fixed = bytes.slice()
  const view = new DataView(fixed.buffer)
  let at = 8
  while (at + 12 <= fixed.length) {
    const length = view.getUint32(at)
    if (at + 12 + length > fixed.length) break
    view.setUint32(at + 8 + length, crc32(fixed.subarray(at + 4, at + 8 + length)))
    at += 12 + length
  }
  return fixed
}

function withSize(bytes: Uint8Array, width: number, height: number): Uint8Array {
  const resized = bytes.slice()
  new DataView(resized.buffer).setUint32(16, width)
  new DataView(resized.buffer).setUint32(20, height)
  return withChecksums(resized)
}

for (const name of fixtureNames('.png')) {
  test(`${name} is read`, () => {
    const { width, height, channels, data } = readPng(fixture(name))
    const description = expected[name]?.['']
    assert.deepEqual([height, width, channels], description?.shape)
    assert.deepEqual([...data], description?.data)
  })
}

test('images of any size are written so that another decoder and ours read them', () => {
  const image = fc
    .record({
      width: fc.integer({ min: 1, max: 9 }),
      height: fc.integer({ min: 1, max: 9 }),
      channels: fc.constantFrom(1, 3),
    })
    .chain(({ width, height, channels }) => {
      const length = width * height * channels
      return fc
        .uint8Array({ minLength: length, maxLength: length })
        .map(data => ({ width, height, channels, data: new Uint8Array(data) }))
    })
  fc.assert(
    fc.property(image, value => {
      const bytes = writePng(value)
      const other = decode(bytes)
      assert.deepEqual(
        [other.width, other.height, other.channels],
        [value.width, value.height, value.channels],
      )
      assert.deepEqual(new Uint8Array(other.data), value.data)
      assert.deepEqual(readPng(bytes), value)
      assert.deepEqual(readPng(encode({ ...value, depth: 8 })), value)
    }),
    { seed: 1, numRuns: 50 },
  )
})

test('an image whose data do not fit is not written', () => {
  assert.throws(
    () => writePng({ width: 2, height: 2, channels: 3, data: new Uint8Array(11) }),
    /expected 12 bytes/,
  )
  assert.throws(() => writePng({ width: 0, height: 2, channels: 1, data: new Uint8Array(0) }), SternaError)
  assert.throws(() => writePng({ width: 1, height: 1, channels: 4, data: new Uint8Array(4) }), SternaError)
})

test('sizes are checked before memory is taken', () => {
  const small = writePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(7) })
  assert.throws(
    () => readPng(withSize(small, 0xffff_ffff, 0xffff_ffff)),
    /4294967295×4294967295 pixels, at most 67108864 are accepted/,
  )
  assert.throws(() => readPng(withSize(small, 8000, 8000)), /cannot hold the declared 64008000/)
  assert.throws(() => readPng(withSize(small, 0, 1)), /an image of 0×1 pixels/)
  assert.throws(() => readPng(small, { maxPixels: 0 }), /at most 0 are accepted/)
})

test('image data that expands to more than the image is refused', () => {
  const [before, after] = [
    writePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(7) }),
    zlibSync(new Uint8Array(5_000_000)),
  ]
  const chunk = new Uint8Array(12 + after.length)
  new DataView(chunk.buffer).setUint32(0, after.length)
  chunk.set([0x49, 0x44, 0x41, 0x54], 4)
  chunk.set(after, 8)
  const bomb = withChecksums(Uint8Array.from([...before.subarray(0, 33), ...chunk, ...before.subarray(-12)]))
  assert.throws(() => readPng(bomb), /expected 2 bytes after expansion, found more/)
})

test('a wrong checksum is noticed', () => {
  const bytes = fixture('rgb8.png')
  bytes[17] = bytes[17]! ^ 1
  assert.throws(() => readPng(bytes), /checksum/)
})

test('an index beyond the palette is refused', () => {
  const bytes = fixture('palette8.png')
  const text = new TextDecoder('latin1').decode(bytes)
  const at = text.indexOf('PLTE')
  const shorter = Uint8Array.from([
    ...bytes.subarray(0, at - 4),
    0,
    0,
    0,
    3,
    ...bytes.subarray(at, at + 7),
    0,
    0,
    0,
    0,
    ...bytes.subarray(text.indexOf('IDAT') - 4),
  ])
  assert.throws(() => readPng(withChecksums(shorter)), /of a palette of 1/)
})

test('a file cut short anywhere is refused', () => {
  for (const name of ['grey1-interlaced.png', 'palette-alpha.png'])
    assertRefusesTruncation(readPng, fixture(name))
})

test('a damaged file gives a result or a SternaError, also when its checksums are right', () => {
  for (const name of ['rgba16.png', 'palette2-interlaced.png', 'rgb-key.png']) {
    assertSurvivesMutation(readPng, fixture(name), 200)
    assertSurvivesMutation(bytes => readPng(withChecksums(bytes)), fixture(name), 400)
  }
})
