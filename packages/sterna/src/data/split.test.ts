import assert from 'node:assert/strict'
import test from 'node:test'
import { SternaError } from '../core/index.ts'
import { createGlyphs, type Dataset, type ImageView, splitDataset } from './index.ts'

const glyphs = createGlyphs({ train: 1003, test: 20 })

function countPerClass({ source, indices }: ImageView, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0)
  for (const index of indices) counts[source.labels[index]!]!++
  return counts
}

test('a split holds out the asked number, shares no image and loses none', () => {
  const { train, validation, test: held } = splitDataset(glyphs, { validation: 205, seed: 7 })
  assert.equal(validation.count, 205)
  assert.equal(train.count, 798)
  const all = [...train.indices, ...validation.indices].sort((a, b) => a - b)
  assert.deepEqual(
    all,
    Array.from({ length: 1003 }, (_, i) => i),
  )
  assert.equal(held.source, glyphs.test)
  assert.equal(held.count, 20)
})

test('every class gives its share to the validation images, to within one image', () => {
  const labels = Uint8Array.from({ length: 1000 }, (_, i) => (i < 700 ? 0 : i < 990 ? 1 : 2))
  const uneven: Dataset = {
    ...glyphs,
    classes: ['a', 'b', 'c'],
    train: { images: new Uint8Array(1000 * 784), labels, count: 1000 },
  }
  const { validation } = splitDataset(uneven, { validation: 137, seed: 1 })
  const counts = countPerClass(validation, 3)
  assert.equal(counts[0]! + counts[1]! + counts[2]!, 137)
  for (const [label, exact] of [95.9, 39.73, 1.37].entries()) {
    assert.ok(Math.abs(counts[label]! - exact) < 1, `class ${label}: ${counts[label]} of ${exact}`)
  }
})

test('the seed alone decides which images are held out', () => {
  const first = splitDataset(glyphs, { validation: 100, seed: 1 }).validation.indices
  assert.deepEqual(splitDataset(glyphs, { validation: 100, seed: 1 }).validation.indices, first)
  assert.notDeepEqual(splitDataset(glyphs, { validation: 100, seed: 2 }).validation.indices, first)
})

test('a split without validation images trains on everything, and views share the pixels', () => {
  const { train, validation } = splitDataset(glyphs, { validation: 0, seed: 1 })
  assert.equal(train.count, 1003)
  assert.equal(validation.count, 0)
  assert.equal(train.source.images, glyphs.train.images)
})

test('a validation count that leaves nothing to train on is refused', () => {
  for (const validation of [1003, -1, 0.5, Number.NaN]) {
    assert.throws(
      () => splitDataset(glyphs, { validation, seed: 1 }),
      (error: unknown) =>
        error instanceof SternaError && error.code === 'usage/option' && /1002/.test(error.message),
    )
  }
})
