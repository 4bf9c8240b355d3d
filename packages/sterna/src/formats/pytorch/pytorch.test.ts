import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SternaError, type Tensor } from '../../core/index.ts'
import {
  assertRefusesTruncation,
  assertSurvivesMutation,
  describeTensors,
  expected,
  fixture,
  fixtureNames,
  needsShared,
  shared,
} from '../fixtures.node.ts'
import { readSafetensors } from '../safetensors.ts'
import { readPytorch } from './read.ts'

for (const name of fixtureNames('.pt').filter(file => file in expected)) {
  test(`${name} is read as PyTorch wrote it`, () => {
    const { tensors } = readPytorch(fixture(name))
    assert.deepEqual(describeTensors(tensors), expected[name])
    assert.deepEqual([...tensors.keys()], Object.keys(expected[name] ?? {}), 'in the order of the file')
  })
}

const refused: Readonly<Record<string, readonly [message: RegExp, hint: RegExp]>> = {
  module: [/whole module|"torch\.nn\.modules\.linear\.Linear"/, /model\.state_dict\(\)/],
  namespace: [/wants to use "argparse\.Namespace"/, /model\.state_dict\(\)/],
  complex: [/wants to use "torch\.ComplexFloatStorage"/, /element type/],
  'no-tensors': [/without any tensor/, /model\.state_dict\(\)/],
}

for (const [name, [message, hint]] of Object.entries(refused)) {
  for (const kind of ['zip', 'legacy']) {
    test(`${name}-${kind}.pt is refused, with what is wrong and what to do`, () => {
      assert.throws(
        () => readPytorch(fixture(`${name}-${kind}.pt`)),
        (error: unknown) =>
          error instanceof SternaError &&
          error.code === 'file/unsupported' &&
          message.test(error.message) &&
          hint.test(error.hint ?? ''),
      )
    })
  }
}

test('what lies beside the weights is named, with the reason', () => {
  assert.deepEqual(readPytorch(fixture('checkpoint-zip.pt')).skipped, [
    { name: 'epoch', reason: 'beside "state_dict", which holds the weights' },
    { name: 'best', reason: 'beside "state_dict", which holds the weights' },
    { name: 'optimizer', reason: 'beside "state_dict", which holds the weights' },
  ])
  assert.deepEqual(readPytorch(fixture('nested-legacy.pt')).skipped, [
    { name: 'note', reason: 'a string, not a tensor' },
  ])
})

test('two names of one tensor share it', () => {
  const { tensors } = readPytorch(fixture('state-dict-zip.pt'))
  assert.equal(tensors.get('tied'), tensors.get('float32'))
})

test('other files are refused by their first bytes', () => {
  for (const name of ['float32.npy', 'rgb8.png', 'all-types.safetensors']) {
    assert.throws(() => readPytorch(fixture(name)), /neither a ZIP archive nor a checkpoint/)
  }
  assert.throws(() => readPytorch(fixture('stored.npz')), /expected one data.pkl, found 0/)
})

test('a file cut short anywhere is refused', () => {
  for (const name of ['checkpoint-zip.pt', 'nested-legacy.pt'])
    assertRefusesTruncation(readPytorch, fixture(name))
})

test('a damaged file gives a result or a SternaError', () => {
  for (const name of ['state-dict-zip.pt', 'state-dict-legacy.pt', 'checkpoint-legacy.pt']) {
    assertSurvivesMutation(readPytorch, fixture(name), 300)
  }
})

const twins: readonly (readonly [string, string])[] = [
  ['resnet20-12fca82f.th', 'resnet20.safetensors'],
  ['resnet56-4bfd9763.th', 'resnet56.safetensors'],
  ['resnet20_ec2t_spars64.pt', 'resnet20_ec2t_spars64.safetensors'],
  ['ec2t_lenet5_fp.pt', 'ec2t_lenet5_fp.safetensors'],
]
for (const [checkpoint, twin] of twins) {
  const files = [`weights/${checkpoint}`, `weights/${twin}`]
  test(`the published ${checkpoint} holds the same bits as ${twin}`, needsShared(...files), () => {
    const weights = new Map<string, Tensor>()
    for (const [name, value] of readPytorch(shared(files[0]!)).tensors) {
      if (!name.endsWith('num_batches_tracked')) weights.set(name.replace(/^module\./, ''), value)
    }
    assert.deepEqual(weights, readSafetensors(shared(files[1]!)).tensors)
  })
}
