import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { SternaError } from '../../core/index.ts'
import { createGlyphs, parseGlyphsOptions } from './index.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test('the default set has the stored bytes on every machine', () => {
  const glyphs = createGlyphs()
  assert.equal(glyphs.train.count, 12_000)
  assert.equal(glyphs.test.count, 2_000)
  assert.equal(
    sha256(glyphs.train.images),
    '676b842b8a7ddca931677a998fd0ce178fc8785ec2805befd11757dd5bfa7e00',
  )
  assert.equal(sha256(glyphs.test.images), '33cc228546cecea0583c4882ecfb85059cafad73c444f1f6597298ee359c21bf')
  assert.equal(glyphs.digest, '9dec3a815a1427f9')
})

test('the normalisation is the mean and the deviation of the training pixels', () => {
  const { train, normalization } = createGlyphs()
  let sum = 0
  let squares = 0
  for (const pixel of train.images) {
    sum += pixel / 255
    squares += (pixel / 255) ** 2
  }
  const mean = sum / train.images.length
  const std = Math.sqrt(squares / train.images.length - mean * mean)
  assert.ok(Math.abs(mean - normalization.mean[0]!) < 0.001, `mean ${mean}`)
  assert.ok(Math.abs(std - normalization.std[0]!) < 0.001, `std ${std}`)
})

test('a smaller set is the beginning of a larger one; other seeds and parts differ', () => {
  const small = createGlyphs({ train: 30, test: 20 })
  const large = createGlyphs({ train: 60, test: 30 })
  assert.deepEqual(small.train.images, large.train.images.subarray(0, 30 * 784))
  assert.deepEqual(small.test.labels, large.test.labels.subarray(0, 20))
  assert.notEqual(small.digest, large.digest)
  assert.notEqual(createGlyphs({ train: 30, test: 20, seed: 2 }).digest, small.digest)
  assert.notDeepEqual(small.train.images.subarray(0, 784), small.test.images.subarray(0, 784))
})

test('every class appears equally often and no two images are the same', () => {
  const { train } = createGlyphs({ train: 500, test: 10 })
  const counts = new Array<number>(10).fill(0)
  const seen = new Set<string>()
  for (let i = 0; i < 500; i++) {
    counts[train.labels[i]!]!++
    seen.add(sha256(train.images.subarray(i * 784, (i + 1) * 784)))
  }
  assert.deepEqual(counts, new Array<number>(10).fill(50))
  assert.equal(seen.size, 500)
})

test('every image shows a digit: bright ink, mostly inside the frame, on a dark ground', () => {
  const { train } = createGlyphs({ train: 1000, test: 10 })
  for (let i = 0; i < 1000; i++) {
    const image = train.images.subarray(i * 784, (i + 1) * 784)
    const bright = image.filter(pixel => pixel > 90).length
    assert.ok(bright >= 10 && bright < 500, `image ${i}: ${bright} bright pixels`)
  }
})

test('options are read from a spec, and wrong ones are refused', () => {
  assert.deepEqual(parseGlyphsOptions('train=6000,test=1000,seed=3'), { train: 6000, test: 1000, seed: 3 })
  assert.deepEqual(parseGlyphsOptions(''), {})
  for (const text of ['train', 'train=', 'train=-1', 'train=1e3', 'size=3', 'train=1=2x', '/some/folder']) {
    assert.throws(
      () => parseGlyphsOptions(text),
      (error: unknown) => error instanceof SternaError && error.code === 'usage/option',
      text,
    )
  }
  for (const options of [{ train: 0 }, { test: 0 }, { train: 1_000_001 }, { test: 1.5 }]) {
    assert.throws(() => createGlyphs({ train: 1, test: 1, ...options }), SternaError)
  }
})
