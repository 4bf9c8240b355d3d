import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ComparedRun, type Comparison, summarizeMethods } from './comparison.ts'
import { comparisonPage } from './comparison-page.ts'

const run = (method: string, seed: number, testAccuracy: number, bytes: number): ComparedRun => ({
  method,
  seed,
  testAccuracy,
  validationAccuracy: testAccuracy - 0.001,
  zeros: bytes / 1e6,
  bytes,
  bitsPerWeight: 1.5,
  additions: 1e6,
  multiplications: 1000,
  file: `${method}-${seed}.sterna`,
})

const comparison: Comparison = {
  model: 'lenet5',
  data: { name: '<glyphs> & "more"', digest: '0123456789abcdef', testImages: 2000 },
  protocol: 'All alike.',
  engine: 'sterna-runtime',
  command: 'sterna compare --data "a b"',
  runs: [run('float', 1, 0.99, 900_000), run('twn', 1, 0.98, 110_000), run('float', 2, 0.97, 900_000)],
}

describe('a comparison', () => {
  it('is summed up by method, in order of appearance', () => {
    const [float, twn] = summarizeMethods(comparison.runs)
    assert.equal(float!.method, 'float')
    assert.ok(Math.abs(float!.testAccuracy.mean - 0.98) < 1e-12)
    assert.deepEqual([float!.testAccuracy.least, float!.testAccuracy.most], [0.97, 0.99])
    assert.deepEqual(twn!.bytes, { mean: 110_000, least: 110_000, most: 110_000 })
  })
})

describe('the page of a comparison', () => {
  const page = comparisonPage(comparison)

  it('needs no other file and runs nothing', () => {
    assert.doesNotMatch(page, /<script|<link|<img|@import|url\(|https?:/)
  })

  it('has a point for every run in both plots, and every run in a table', () => {
    assert.equal(page.match(/<svg /g)!.length, 2)
    assert.equal(page.match(/<circle /g)!.length, 2 * comparison.runs.length)
    for (const { method, seed } of comparison.runs) assert.ok(page.includes(`${method}-${seed}</th>`))
  })

  it('writes names as text, whatever is in them', () => {
    assert.ok(page.includes('lenet5 on &lt;glyphs&gt; &amp; &quot;more&quot;'))
    assert.ok(!page.includes('<glyphs>'))
  })

  it('holds one run, and runs that are all alike', () => {
    for (const runs of [[run('twn', 1, 0.5, 1000)], [run('twn', 1, 0, 1000), run('tga', 1, 0, 1000)]]) {
      const text = comparisonPage({ ...comparison, runs })
      assert.doesNotMatch(text, /NaN|Infinity|undefined/)
    }
  })
})
