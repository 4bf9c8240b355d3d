import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ActivationRange } from 'sterna-runtime'
import { activationProblem } from 'sterna-runtime/format'
import { Random, SternaError } from '../core/index.ts'
import { chooseRange, rangeChoices } from './choose-range.ts'
import { ValueHistogram } from './value-histogram.ts'

function histogramOf(...batches: readonly Float32Array[]): ValueHistogram {
  const histogram = new ValueHistogram('x')
  for (const batch of batches) histogram.widen(batch)
  for (const batch of batches) histogram.count(batch)
  return histogram
}

const normal = (random: Random, count: number, shift = 0) =>
  Float32Array.from({ length: count }, () => random.normal() + shift)

function meanSquaredError(numbers: Float32Array, { scale, zero, max }: ActivationRange): number {
  const errors = numbers.map(
    x => (x - scale * (Math.min(max, Math.max(0, Math.round(x / scale) + zero)) - zero)) ** 2,
  )
  return errors.reduce((sum, error) => sum + error, 0) / numbers.length
}

test('every choice gives a range that a file can hold, whatever the numbers', () => {
  const random = new Random(1)
  const cases = [
    normal(random, 1000),
    normal(random, 1000).map(Math.abs),
    normal(random, 1000).map(x => -Math.abs(x)),
    new Float32Array(50),
    Float32Array.of(1e-38),
    Float32Array.of(-3e37, 3e37),
    normal(random, 10, 100),
  ]
  for (const numbers of cases) {
    for (const choice of rangeChoices) {
      for (const max of [1, 63, 127, 255]) {
        const range = chooseRange(histogramOf(numbers), max, choice)
        assert.equal(activationProblem(range), undefined, `${choice} ${max}: ${JSON.stringify(range)}`)
        assert.equal(range.max, max)
        if (numbers.every(x => x >= 0)) assert.equal(range.zero, 0)
        if (numbers.every(x => x < 0)) assert.equal(range.zero, max)
      }
    }
  }
})

test('max holds every number to within half a step', () => {
  const numbers = normal(new Random(2), 5000, 0.7)
  const { scale, zero, max } = chooseRange(histogramOf(numbers), 255, 'max')
  const low = numbers.reduce((a, b) => Math.min(a, b))
  const high = numbers.reduce((a, b) => Math.max(a, b))
  assert.ok(-zero * scale <= low + 0.51 * scale && (max - zero) * scale >= high - 0.51 * scale)
})

test('percentile leaves out one number in ten thousand', () => {
  const numbers = Float32Array.from({ length: 50_000 }, (_, index) =>
    index < 5 ? 1000 : (index % 1000) / 100,
  )
  const { scale, zero, max } = chooseRange(histogramOf(numbers), 127, 'percentile')
  assert.equal(zero, 0)
  assert.ok(Math.abs(scale * max - 10) < 0.3, `${scale * max}`)
})

test('mse has the least error of the three, and clearly less than max where a number is far out', () => {
  const random = new Random(3)
  const skewed = normal(random, 20_000).map(x => Math.exp(1.2 * x))
  const outliers = normal(random, 20_000)
  outliers[7] = 60
  for (const numbers of [skewed, outliers, normal(random, 20_000).map(Math.abs)]) {
    const [mse, percentile, max] = (['mse', 'percentile', 'max'] as const).map(choice =>
      meanSquaredError(numbers, chooseRange(histogramOf(numbers), 63, choice)),
    )
    assert.ok(mse! <= 1.001 * Math.min(percentile!, max!), `${mse} ${percentile} ${max}`)
    if (numbers === outliers) assert.ok(mse! < 0.8 * max!, `${mse} ${max}`)
  }
})

test('the order and the batches of the numbers do not matter', () => {
  const numbers = normal(new Random(4), 3000)
  const once = histogramOf(numbers)
  const parts = histogramOf(numbers.slice(2000), numbers.slice(0, 700), numbers.slice(700, 2000))
  for (const choice of rangeChoices) {
    assert.deepEqual(chooseRange(parts, 127, choice), chooseRange(once, 127, choice))
  }
})

test('numbers that are not finite are refused by the name of the value', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.throws(
      () => new ValueHistogram('relu3').widen(Float32Array.of(1, bad, -1, 2)),
      (error: unknown) =>
        error instanceof SternaError && error.code === 'usage/input' && /"relu3"/.test(error.message),
    )
  }
})
