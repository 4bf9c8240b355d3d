import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBytes, formatCount, formatDuration, formatPercent, formatSize, formatTimes } from './index.ts'

const cases: readonly (readonly [found: string, expected: string])[] = [
  [formatCount(582_026), '582,026'],
  [formatBytes(1), '1 byte'],
  [formatBytes(89_412), '89,412 bytes'],
  [formatSize(0), '0 B'],
  [formatSize(999), '999 B'],
  [formatSize(1000), '1.0 kB'],
  [formatSize(11_594_722), '11.6 MB'],
  [formatSize(184_380_000), '184 MB'],
  [formatSize(999_600), '1.0 MB'],
  [formatPercent(0.9935), '99.35 %'],
  [formatPercent(0.5, 0), '50 %'],
  [formatTimes(2.006), '2.01×'],
  [formatTimes(27.84), '27.8×'],
  [formatTimes(123.4), '123×'],
  [formatDuration(0.456), '0.46 ms'],
  [formatDuration(12.34), '12.3 ms'],
  [formatDuration(850.4), '850 ms'],
  [formatDuration(12_400), '12.4 s'],
  [formatDuration(59_970), '1 min 00 s'],
  [formatDuration(125_000), '2 min 05 s'],
  [formatDuration(3_725_000), '1 h 02 min'],
]

for (const [found, expected] of cases) {
  test(`numbers read ${expected}`, () => {
    assert.equal(found, expected)
  })
}
