import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createEngine } from '../engine/index.node.ts'
import { GraphBuilder, gradients } from '../graph/index.ts'
import { assertNear } from '../graph/testing/pytorch.node.ts'
import { buildLoss, exampleLoss } from './loss.ts'
import { fixture, heads, oneHotLabels } from './testing/lenet5-step.node.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const [batch, classes] = [fixture.batch, 10]
const labels = fixture.labels[0]!

for (const [name, head] of heads) {
  // Logits with nine digits, sums of 80 terms in float32.
  test(`${name} and its gradient are PyTorch's`, async () => {
    const b = new GraphBuilder(name)
    const logits = b.input('logits', [batch, classes])
    const loss = buildLoss(b, name, logits, b.input('oneHot', [batch, classes]))
    const [gradient] = gradients(b, loss, [logits])
    assert.deepEqual(loss.shape, [])
    const executable = await engine.load({ graph: b.build([loss, gradient!]), state: new Map() })
    const found = await executable.run({
      logits: { dtype: 'f32', shape: [batch, classes], data: Float32Array.from(head.logits) },
      oneHot: oneHotLabels(labels),
    })
    assertNear(found[loss.name]!.data as Float32Array, [head.loss], 1e-6, 'loss')
    assertNear(found[gradient!.name]!.data as Float32Array, head.logitsGradient, 1e-6, 'gradient')
    await executable.release()
  })

  test(`${name} of single images has the batch's mean`, () => {
    const sum = labels.reduce(
      (total, label, row) => total + exampleLoss(name, head.logits.slice(row * 10, row * 10 + 10), label),
      0,
    )
    assertNear([sum / batch], [head.loss], 1e-8, 'mean')
  })
}

test('cross-entropy of huge logits is finite', () => {
  assert.equal(exampleLoss('cross-entropy', [1e30, 0, -1e30], 0), 0)
  assert.equal(exampleLoss('cross-entropy', [1e30, 0], 1), 1e30)
})

test('hinge is zero beyond the margin only', () => {
  assert.equal(exampleLoss('hinge', [1, -1, -2], 0), 0)
  assert.equal(exampleLoss('hinge', [0.5, -0.5, -2], 0), 1)
  assert.equal(exampleLoss('squared-hinge', [0.5, -0.5, 1], 0), 0.25 + 0.25 + 4)
})
