import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { openDataset } from './index.node.ts'

const repoRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..')
const shared = process.env.STERNA_SHARED ?? path.resolve(repoRoot, '../shared')
const unpack = path.join(shared, 'data/unpack.mjs')
const skip = existsSync(unpack) ? false : 'the CIFAR-10 files are not on this machine'

test('the real CIFAR-10 opens with the published counts and statistics', { skip }, async context => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sterna-cifar-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  // By its real path: a script reached through a link does not take itself for the program.
  execFileSync(process.execPath, [realpathSync(unpack), folder])
  const dataset = await openDataset(`cifar10:${folder}`)
  assert.deepEqual([...dataset.test.labels.subarray(0, 6)], [3, 8, 8, 0, 6, 6])
  const counts = new Array<number>(10).fill(0)
  for (const label of dataset.train.labels) counts[label]!++
  assert.deepEqual(counts, new Array<number>(10).fill(5000))
  for (const [channel, mean] of [0.49139968, 0.48215841, 0.44653091].entries()) {
    let sum = 0
    for (let i = 0; i < dataset.train.count; i++) {
      const start = i * 3072 + channel * 1024
      for (let j = start; j < start + 1024; j++) sum += dataset.train.images[j]!
    }
    assert.ok(Math.abs(sum / (dataset.train.count * 1024) / 255 - mean) < 1e-7)
  }
})
