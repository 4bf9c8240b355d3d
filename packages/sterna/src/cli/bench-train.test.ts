import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findTorch } from './bench/torch.node.ts'
import { createFolder, sterna } from './testing/command.node.ts'

const torch = await findTorch(undefined)
const folder = createFolder()

test('bench train prints our step, and PyTorch beside it where there is one', async () => {
  const { status, stdout, stderr } = await sterna(
    folder,
    'bench train --only lenet5 --pairs 1 --threads 1 --json',
  )
  assert.equal(status, 0, stderr)
  const { workloads, command } = JSON.parse(stdout)
  assert.equal(command, 'sterna bench train --only lenet5 --pairs 1 --threads 1')
  assert.equal(workloads.length, 1)
  const { ours, ratio, torch: theirs, losses } = workloads[0]
  // Node and ONNX Runtime alone take 50 MB.
  assert.ok(ours.stepMs > 0 && ours.peakMemoryBytes > 5e7, stdout)
  assert.ok(ours.engine.includes('lowering') && ours.loweringReason.length > 0, stdout)
  assert.deepEqual(ours.fallbacks, [])
  if (torch.python === undefined) {
    assert.equal(ratio, null)
    assert.equal(theirs, null)
    assert.match(stderr, /no PyTorch, so no ratios/)
  } else {
    const expected = ours.stepMs / theirs.stepMs
    assert.ok(Math.abs(ratio.median / expected - 1) < 1e-6, `${ratio.median} and ${expected}`)
    assert.ok(theirs.peakMemoryBytes > 5e7)
    // The same network from the same weights on the same batch.
    assert.equal(losses.steps, 20)
    assert.ok(losses.difference < 1e-3, `${losses.difference}`)
  }
})

test('an interpreter that is none, and a workload that is none, are refused', async () => {
  for (const [line, message] of [
    ['--python ./no-such-python', /--python: \.\/no-such-python: is not there\nhint: give an interpreter/],
    ['--only resnet21', /--only: expected resnet20, .*, found "resnet21"\nhint: did you mean resnet20\?/],
  ] as const) {
    const { status, stderr } = await sterna(folder, `bench train ${line}`)
    assert.equal(status, 2)
    assert.match(stderr, message)
  }
})
