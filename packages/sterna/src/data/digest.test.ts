import assert from 'node:assert/strict'
import test from 'node:test'
import { digestBytes } from './digest.ts'

const sample = Uint8Array.from({ length: 101 }, (_, i) => (i * 37) & 255)

test('a digest is a stable function of the content', () => {
  assert.equal(digestBytes([sample]), '5d3d19f6108c5da5')
  const shifted = new Uint8Array(102)
  shifted.set(sample, 1)
  assert.equal(digestBytes([shifted.subarray(1)]), digestBytes([sample]))
})

test('every single bit, the order of parts and their borders change the digest', () => {
  const seen = new Set([digestBytes([sample])])
  for (let bit = 0; bit < sample.length * 8; bit++) {
    const changed = sample.slice()
    changed[bit >> 3]! ^= 1 << (bit & 7)
    seen.add(digestBytes([changed]))
  }
  assert.equal(seen.size, 1 + sample.length * 8)
  const [a, b] = [sample.subarray(0, 48), sample.subarray(48)]
  const others = [
    [a, b],
    [b, a],
    [sample, new Uint8Array(0)],
    [sample.subarray(0, 47), sample.subarray(47)],
    [],
  ]
  for (const parts of others) seen.add(digestBytes(parts))
  assert.equal(seen.size, 1 + sample.length * 8 + others.length)
})
