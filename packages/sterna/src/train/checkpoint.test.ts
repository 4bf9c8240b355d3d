import assert from 'node:assert/strict'
import { test } from 'node:test'
import { f32, SternaError, type Tensor } from '../core/index.ts'
import { readSafetensors, writeSafetensors } from '../formats/index.ts'
import { type Checkpoint, readCheckpoint, type TrainProgress, writeCheckpoint } from './checkpoint.ts'
import { tinyConfig } from './testing/tiny.ts'

const record = { phase: 'train', epoch: 1, learningRate: 0.1, trainLoss: 1 / 3, trainAccuracy: 0.7 } as const
const progress: TrainProgress = {
  phase: 0,
  position: { epoch: 1, batch: 3 },
  sums: { loss: 0.1 + 0.2, correct: 31, samples: 60 },
  firstLoss: Math.LN10,
  history: [record],
  bestRecord: record,
}
const checkpoint: Checkpoint = {
  config: tinyConfig('twn'),
  dataDigest: '0123456789abcdef',
  progress,
  tensors: new Map<string, Tensor>([
    ['weight', f32([2, 2], [-0, 1e-45, 3.4028234663852886e38, 0.1])],
    ['weight@momentum', f32([2, 2])],
    ['best/of/all', f32([], [7])],
  ]),
  best: new Map([['weight', f32([2, 2], [1, 2, 3, 4])]]),
}
const bytes = writeCheckpoint(checkpoint)

function refuse(damaged: Uint8Array, what: string): SternaError {
  try {
    readCheckpoint(damaged, 'last')
  } catch (error) {
    assert.ok(error instanceof SternaError, `${what}: ${error}`)
    assert.match(error.message, /^last: /, what)
    return error
  }
  return assert.fail(`${what}: nothing was thrown`)
}

/** The checkpoint with other metadata and a digest that this build would not write. */
function withMetadata(change: Readonly<Record<string, string>>): Uint8Array {
  const { tensors, metadata } = readSafetensors(bytes)
  return writeSafetensors(tensors, { ...metadata, ...change })
}

test('a checkpoint comes back with every bit', () => {
  const back = readCheckpoint(bytes, 'last')
  // Strict equality of typed arrays tells −0 from 0.
  assert.deepEqual(back.tensors, checkpoint.tensors)
  assert.deepEqual(back.best, checkpoint.best)
  assert.deepEqual(back.progress, progress)
  assert.deepEqual(back.config, checkpoint.config)
  assert.equal(back.dataDigest, checkpoint.dataDigest)
})

test('equal checkpoints are equal bytes, and any change changes them', () => {
  assert.deepEqual(writeCheckpoint({ ...checkpoint }), bytes)
  const later = { ...progress, position: { epoch: 1, batch: 4 } }
  assert.notDeepEqual(writeCheckpoint({ ...checkpoint, progress: later }), bytes)
})

test('every truncated checkpoint is refused', () => {
  for (let length = 0; length < bytes.length; length += 5) refuse(bytes.slice(0, length), `${length} bytes`)
  refuse(bytes.slice(0, -1), 'without the last byte')
  refuse(Uint8Array.of(...bytes, 0), 'with a byte more')
})

test('every flipped bit is noticed', () => {
  for (let bit = 0; bit < bytes.length * 8; bit += 3) {
    const damaged = bytes.slice()
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    refuse(damaged, `bit ${bit}`)
  }
})

test('two tensors of one shape that changed places are noticed', () => {
  const { tensors, metadata } = readSafetensors(bytes)
  const swapped = new Map(tensors)
  swapped.set('current/weight', tensors.get('best/weight')!)
  swapped.set('best/weight', tensors.get('current/weight')!)
  assert.equal(refuse(writeSafetensors(swapped, metadata), 'swapped').code, 'train/checkpoint')
})

test('another version, another kind of file and other bytes are refused by name', () => {
  const old = refuse(withMetadata({ version: '0' }), 'version')
  assert.equal(old.code, 'train/checkpoint')
  assert.match(old.message, /checkpoint version 0, this build continues 1/)
  assert.match(old.hint ?? '', /--from/)
  assert.match(
    refuse(withMetadata({ format: 'pt' }), 'format').message,
    /expected a training checkpoint, found pt/,
  )
  const weights = writeSafetensors(new Map([['w', f32([1])]]))
  assert.match(refuse(weights, 'weights').message, /found other tensors/)
  assert.match(refuse(withMetadata({ digest: '' }), 'digest').message, /does not match its digest/)
})

test('progress and configuration that no build writes are refused, even under a right digest', () => {
  const odd = [
    null,
    {},
    { ...progress, phase: 2 },
    { ...progress, position: {} },
    { ...progress, history: [0] },
  ]
  for (const value of odd) {
    const crafted = writeCheckpoint({ ...checkpoint, progress: value as TrainProgress })
    assert.match(refuse(crafted, JSON.stringify(value)).message, /its progress is not what/)
  }
  const crafted = writeCheckpoint({ ...checkpoint, config: [] as never })
  assert.match(refuse(crafted, 'config').message, /its config is not what/)
})
