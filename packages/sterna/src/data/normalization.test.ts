import assert from 'node:assert/strict'
import test from 'node:test'
import { SternaError } from '../core/index.ts'
import {
  augmentationNamed,
  augmentations,
  normalizationPresets,
  overrideNormalization,
  parseChannelValues,
  spreadNormalization,
} from './index.ts'

const isUsageError = (error: unknown) => error instanceof SternaError && error.code === 'usage/option'

test('values carry their unit: the same constants on either scale mean the same', () => {
  assert.deepEqual(parseChannelValues('0.4914,0.4822,0.4465@1'), [0.4914, 0.4822, 0.4465])
  assert.deepEqual(parseChannelValues('0.5@1'), [0.5])
  assert.deepEqual(parseChannelValues(' 51 , 102@255'), [0.2, 0.4])
})

test('values without a unit, or that cannot be in that unit, are refused', () => {
  for (const text of [
    '0.5',
    '0.5@',
    '0.5@2',
    '125.3@1',
    '300@255',
    'x@1',
    '@1',
    '0.1,,0.2@1',
    '0.5@1@1',
    'Infinity@1',
  ]) {
    assert.throws(() => parseChannelValues(text), isUsageError, text)
  }
})

test('one value stands for every channel, another number of values is refused', () => {
  const { mnist, cifar10 } = normalizationPresets
  assert.deepEqual(spreadNormalization(mnist, 3), {
    mean: [0.1307, 0.1307, 0.1307],
    std: [0.3081, 0.3081, 0.3081],
  })
  assert.deepEqual(spreadNormalization(cifar10, 3), cifar10)
  assert.throws(() => spreadNormalization(cifar10, 1), isUsageError)
  assert.throws(() => spreadNormalization(cifar10, 4), isUsageError)
})

test('an override replaces only what is given', () => {
  const base = normalizationPresets.mnist
  assert.deepEqual(overrideNormalization(base, { mean: '0.5@1' }), { mean: [0.5], std: [0.3081] })
  assert.deepEqual(overrideNormalization(base, { std: '51@255' }), { mean: [0.1307], std: [0.2] })
  assert.throws(() => overrideNormalization(base, { std: '0@1' }), isUsageError)
})

test('augmentations have names', () => {
  assert.deepEqual(augmentationNamed('crop-flip'), { pad: 4, flip: true })
  assert.deepEqual(augmentationNamed('none'), augmentations.none)
  assert.throws(() => augmentationNamed('crop'), isUsageError)
})
