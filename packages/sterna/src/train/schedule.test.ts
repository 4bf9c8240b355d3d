import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkSchedule, parseSchedule, type Schedule, scheduleFactor } from './schedule.ts'

/** Factors of all steps of `epochs` epochs of 4 steps. */
function factors(schedule: Schedule, epochs: number): number[] {
  return Array.from({ length: epochs * 4 }, (_, step) => scheduleFactor(schedule, step, 4, epochs))
}

test('a constant schedule leaves the rate as it is', () => {
  assert.deepEqual(new Set(factors({ kind: 'constant', warmUpEpochs: 0 }, 3)), new Set([1]))
})

test('steps multiply from the first step of their epochs on', () => {
  const schedule = { kind: 'step', epochs: [1, 2], factor: 0.5, warmUpEpochs: 0 } as const
  assert.deepEqual(factors(schedule, 3), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25])
})

test('the cosine starts at 1, has its middle in the middle, and nears its end value', () => {
  const found = factors({ kind: 'cosine', final: 0.2, warmUpEpochs: 0 }, 10)
  assert.equal(found[0], 1)
  assert.ok(Math.abs(found[20]! - 0.6) < 1e-12)
  assert.ok(found[39]! > 0.2 && found[39]! < 0.21)
  for (let step = 1; step < found.length; step++) assert.ok(found[step]! < found[step - 1]!)
})

test('warm-up rises in equal parts to 1 and never starts at 0', () => {
  const found = factors({ kind: 'constant', warmUpEpochs: 1.5 }, 2)
  const expected = [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1, 1]
  found.forEach((factor, step) => {
    assert.ok(Math.abs(factor - expected[step]!) < 1e-12, `step ${step}: ${factor}`)
  })
})

test('the cosine begins where the warm-up ends', () => {
  const found = factors({ kind: 'cosine', final: 0, warmUpEpochs: 1 }, 3)
  assert.equal(found[3], 1)
  assert.equal(found[4], 1)
  assert.ok(Math.abs(found[8]! - 0.5) < 1e-12)
})

test('a warm-up as long as the training stays finite', () => {
  for (const factor of factors({ kind: 'cosine', final: 0, warmUpEpochs: 2 }, 2)) {
    assert.ok(factor > 0 && factor <= 1)
  }
})

test('schedules are read from text', () => {
  assert.deepEqual(parseSchedule('constant', 2), { kind: 'constant', warmUpEpochs: 2 })
  assert.deepEqual(parseSchedule('cosine', 0), { kind: 'cosine', final: 0, warmUpEpochs: 0 })
  assert.deepEqual(parseSchedule('step:15,25', 0), {
    kind: 'step',
    epochs: [15, 25],
    factor: 0.1,
    warmUpEpochs: 0,
  })
  assert.deepEqual(parseSchedule('step:7x0.5', 0), {
    kind: 'step',
    epochs: [7],
    factor: 0.5,
    warmUpEpochs: 0,
  })
})

test('text that is no schedule is refused', () => {
  for (const text of [
    '',
    'linear',
    'step',
    'step:',
    'step:,',
    'step:1,',
    'step:1,,2',
    'step:a',
    'step:1x',
    'step:1.2.3',
    'step:-1',
    'step:1x1.2.3',
    'cosine:1',
  ]) {
    assert.throws(() => parseSchedule(text, 0), { code: 'train/config' }, text)
  }
})

test('numbers outside their range are refused by name', () => {
  checkSchedule({ kind: 'step', epochs: [], factor: 0, warmUpEpochs: 0.5 })
  for (const [schedule, pattern] of [
    [{ kind: 'constant', warmUpEpochs: -1 }, /schedule\.warmUpEpochs/],
    [{ kind: 'constant', warmUpEpochs: Number.NaN }, /schedule\.warmUpEpochs/],
    [{ kind: 'step', epochs: [1], factor: Number.POSITIVE_INFINITY, warmUpEpochs: 0 }, /schedule\.factor/],
    [{ kind: 'step', epochs: [1, -2], factor: 1, warmUpEpochs: 0 }, /schedule\.epochs.*-2/],
    [{ kind: 'step', factor: 1, warmUpEpochs: 0 }, /schedule\.epochs/],
    [{ kind: 'cosine', final: -0.1, warmUpEpochs: 0 }, /schedule\.final/],
    [{ kind: 'linear', warmUpEpochs: 0 }, /expected constant, step or cosine, found "linear"/],
  ] as const) {
    assert.throws(() => checkSchedule(schedule as unknown as Schedule), {
      code: 'train/config',
      message: pattern,
    })
  }
})
