import assert from 'node:assert/strict'
import { test } from 'node:test'
import { f32, type Tensor } from '../core/index.ts'
import { guardLoss, guardTensors } from './guard.ts'

const fine = new Map<string, Tensor>([
  ['small', f32([2], [1, -2])],
  ['large', f32([2], [-3e5, 0])],
])
const broken = new Map(fine)
for (const name of 'abcdef') broken.set(name, f32([3], [Number.NaN, 0, Number.NEGATIVE_INFINITY]))

test('an ordinary loss passes without a look at the tensors', async () => {
  for (const loss of [0, 2.3, 100, 1e4]) await guardLoss(loss, 2.3, 'here', () => assert.fail('inspected'))
})

test('a loss ten thousand times the first is divergence, with the largest tensor', async () => {
  await assert.rejects(
    guardLoss(2.4e4, 2.3, 'epoch 1, step 2', async () => fine),
    {
      code: 'train/diverged',
      message: /^epoch 1, step 2: the loss exploded to 2\.40e\+4 \(first 2\.30\); .* 3\.00e\+5 in large$/,
    },
  )
})

test('a small first loss does not make an ordinary one an explosion', async () => {
  await guardLoss(5, 1e-6, 'here', () => assert.fail('inspected'))
})

test('a loss that is not finite is reported with the tensors that are not', async () => {
  for (const loss of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    await assert.rejects(
      guardLoss(loss, 2.3, 'here', async () => broken),
      {
        code: 'train/non-finite',
        message: `here: the loss is ${loss}; non-finite values in a (2 of 3), b (2 of 3), c (2 of 3), d (2 of 3) and 2 more`,
      },
    )
  }
})

test('tensors are checked by themselves', () => {
  guardTensors(fine, 'here')
  assert.throws(() => guardTensors(broken, 'here'), { code: 'train/non-finite', message: /^here: .* in a / })
})
