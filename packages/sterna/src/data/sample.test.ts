import assert from 'node:assert/strict'
import test from 'node:test'
import { createGlyphs, viewAll } from './index.ts'
import { sampleImages } from './sample.ts'

const view = viewAll(createGlyphs({ train: 200, test: 10 }).train)

test('a sample has as many different images as asked, in order, and all of them where there are fewer', () => {
  for (const [asked, given] of [
    [0, 0],
    [1, 1],
    [37, 37],
    [200, 200],
    [900, 200],
  ] as const) {
    const { indices, count, source } = sampleImages(view, asked, 3)
    assert.equal(source, view.source)
    assert.deepEqual([count, indices.length, new Set(indices).size], [given, given, given])
    assert.ok(indices.every((image, at) => at === 0 || image > indices[at - 1]!))
  }
})

test('the seed decides the sample, and every image can be in it', () => {
  assert.deepEqual(sampleImages(view, 20, 1), sampleImages(view, 20, 1))
  assert.notDeepEqual(sampleImages(view, 20, 1), sampleImages(view, 20, 2))
  const seen = new Set(
    Array.from({ length: 60 }, (_, seed) => [...sampleImages(view, 50, seed).indices]).flat(),
  )
  assert.equal(seen.size, 200)
})

test('a sample of a view has images of that view', () => {
  const part = { ...view, indices: view.indices.filter(index => index % 3 === 0), count: 67 }
  assert.ok(sampleImages(part, 30, 1).indices.every(index => index % 3 === 0))
})
