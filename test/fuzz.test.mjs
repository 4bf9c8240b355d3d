/** A fixed part of what `scripts/fuzz.mjs` does without end, and every file that it ever found something with. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { resnet20 } from '../packages/runtime/dist/kernels/testing/models.js'
import { writeSterna } from '../packages/sterna/dist/pack/index.js'
import { filesUnder } from '../scripts/ensure.mjs'
import { hostileFiles } from '../scripts/fuzz/cases.mjs'
import { fileOf, sectionsOf } from '../scripts/fuzz/container.mjs'
import { createJury } from '../scripts/fuzz/jury.mjs'
import { minimise } from '../scripts/fuzz/minimise.mjs'
import { root } from './repository.mjs'

const found = filesUnder(path.join(root, 'test/fixtures/hostile'))
const fileCount = 500

let jury
before(() => {
  jury = createJury()
})
after(() => jury.close())

test('hostile files are refused or computed, within bounds of time and memory', async () => {
  const outcomes = new Set()
  for (const { index, bytes } of hostileFiles(1)) {
    if (index === fileCount) break
    const verdict = await jury.judge(bytes)
    assert.notEqual(
      verdict.outcome,
      'finding',
      `file ${index} of seed 1: ${verdict.kind}: ${verdict.message}`,
    )
    outcomes.add(verdict.code ?? verdict.outcome)
  }
  // The files reach every part of the runtime, not its door only.
  for (const outcome of ['ran', 'ran on bytes', 'loaded', 'file/damaged', 'file/limit', 'graph/shape'])
    assert.ok(outcomes.has(outcome), `none of ${fileCount} files ended with ${outcome}`)
})

test('files that once were findings are none any more', async () => {
  assert.ok(found.length > 0)
  for (const file of found) {
    const verdict = await jury.judge(new Uint8Array(readFileSync(file)))
    assert.notEqual(verdict.outcome, 'finding', `${path.basename(file)}: ${verdict.message}`)
  }
})

test('a file that hangs is a finding, and the next one is judged by a new worker', async () => {
  const impatient = createJury({ timeMs: 1, heapMegabytes: 256 })
  const bytes = writeSterna(resnet20(0.8))
  assert.equal((await impatient.judge(bytes)).kind, 'hang')
  await impatient.close()
  assert.equal((await jury.judge(bytes)).outcome, 'loaded')
})

test('a finding is cut down to what shows it', async () => {
  const [{ bytes }] = hostileFiles(2)
  const graphOf = file => sectionsOf(file).find(({ kind }) => kind === 2).bytes
  const small = await minimise(bytes, async file => graphOf(file).includes(0x78))
  assert.deepEqual([...graphOf(small)], [0x78])
  assert.deepEqual(fileOf(sectionsOf(small)), small)
})
