import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { SternaError } from '../core/index.ts'
import { readCifar10Batch, readCifar100Batch } from './cifar-binary.ts'
import { assertRefusesTruncation, assertSurvivesMutation, needsShared, shared } from './fixtures.node.ts'
import { gunzip, isGzip } from './gzip.ts'
import { readIdx } from './idx.ts'

const idx = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6)

test('an IDX file of two axes is read', () => {
  assert.deepEqual(readIdx(idx), { dtype: 'u8', shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) })
})

test('an IDX file of another kind, size or length is refused with the place', () => {
  const changed = (at: number, value: number) => idx.map((byte, i) => (i === at ? value : byte))
  assert.throws(() => readIdx(changed(0, 1)), /byte 0: expected two zero bytes/)
  assert.throws(() => readIdx(changed(2, 13)), /byte 2: element type 13/)
  assert.throws(() => readIdx(changed(3, 0)), /byte 3: 0 axes/)
  assert.throws(() => readIdx(changed(7, 3)), /byte 12: expected 9 bytes of elements, \[3,3\], found 6/)
  assert.throws(() => readIdx(changed(4, 255)), /expected 12834570246 bytes/)
  assert.throws(() => readIdx(changed(7, 1)), /3 bytes after the elements/)
  assertRefusesTruncation(readIdx, idx)
  assertSurvivesMutation(readIdx, idx)
})

test('gzip with and without a file name is expanded and verified', () => {
  const packed = new Uint8Array(gzipSync(idx))
  assert.ok(isGzip(packed) && !isGzip(idx))
  assert.deepEqual(gunzip(packed), idx)
  const named = Uint8Array.from([
    ...packed.subarray(0, 3),
    8,
    ...packed.subarray(4, 10),
    97,
    98,
    0,
    ...packed.subarray(10),
  ])
  assert.deepEqual(gunzip(named), idx)
  assertRefusesTruncation(gunzip, packed)
  assertSurvivesMutation(gunzip, packed)
})

test('a flipped bit anywhere behind the header of a gzip file is noticed', () => {
  const packed = new Uint8Array(gzipSync(idx))
  for (let bit = 80; bit < packed.length * 8; bit++) {
    const flipped = packed.slice()
    flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
    let content: Uint8Array | undefined
    try {
      content = gunzip(flipped)
    } catch (error) {
      assert.ok(error instanceof SternaError)
    }
    // Padding bits between the last code and the checksum carry nothing.
    if (content) assert.deepEqual(content, idx, `bit ${bit}`)
  }
})

test('a gzip bomb is refused by its declared size', () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(10_000_000)))
  assert.throws(() => gunzip(bomb, { maxBytes: 1_000_000 }), /10000000 bytes of content, at most 1000000/)
  new DataView(bomb.buffer).setUint32(bomb.length - 4, 1000, true)
  assert.throws(() => gunzip(bomb, { maxBytes: 1_000_000 }), SternaError)
})

test(
  'MNIST is read: 10,000 pictures and labels with the published digests',
  needsShared('data/mnist/t10k-images-idx3-ubyte.gz'),
  () => {
    const images = gunzip(shared('data/mnist/t10k-images-idx3-ubyte.gz'))
    assert.equal(createHash('md5').update(images).digest('hex'), '2646ac647ad5339dbf082846283269ea')
    assert.deepEqual(readIdx(images).shape, [10_000, 28, 28])
    assert.deepEqual(readIdx(gunzip(shared('data/mnist/t10k-labels-idx1-ubyte.gz'))).shape, [10_000])
  },
)

test('CIFAR records are split into planes and labels', () => {
  const ten = new Uint8Array(2 * 3073).map((_, i) => i % 251)
  ten[0] = 3
  ten[3073] = 9
  const { images, labels } = readCifar10Batch(ten)
  assert.deepEqual(images.shape, [2, 3, 32, 32])
  assert.deepEqual(labels.data, Uint8Array.of(3, 9))
  assert.deepEqual(images.data.subarray(3072), ten.subarray(3074))

  const hundred = new Uint8Array(3074)
  hundred[0] = 19
  hundred[1] = 99
  const batch = readCifar100Batch(hundred)
  assert.deepEqual([batch.coarseLabels.data[0], batch.labels.data[0]], [19, 99])
})

test('CIFAR files of broken length or with impossible labels are refused', () => {
  assert.throws(() => readCifar10Batch(new Uint8Array(0)), /found 0 bytes/)
  assert.throws(() => readCifar10Batch(new Uint8Array(3074)), /records of 3073 bytes, found 3074/)
  const wrong = new Uint8Array(2 * 3073)
  wrong[3073] = 10
  assert.throws(() => readCifar10Batch(wrong), /byte 3073: label 10 in record 1, expected below 10/)
  assert.throws(() => readCifar100Batch(new Uint8Array(3074).fill(20)), /label 20/)
})
