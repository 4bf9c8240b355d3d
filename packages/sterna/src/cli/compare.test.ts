import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { createFolder, sterna, TINY_DATA } from './testing/command.node.ts'

const folder = createFolder()
const line = `compare --data ${TINY_DATA} --methods twn,tga --epochs 1 --out out`

test('compare trains every method from the same float network and writes a page and JSON', async () => {
  const { status, stdout, stderr } = await sterna(folder, line)
  assert.equal(status, 0, stderr)
  assert.match(stderr, /^1\/3 float-1 .*validation [\d.]+ %/m)
  assert.match(stderr, /^3\/3 tga-1 .*validation [\d.]+ % {2}zeros [\d.]+ %/m)
  assert.match(stdout, /wrote out.comparison\.html \([\d,]+ bytes\)/)
  const comparison = JSON.parse(readFileSync(path.join(folder, 'out/comparison.json'), 'utf8'))
  assert.deepEqual(
    comparison.runs.map((run: { method: string; seed: number }) => `${run.method}-${run.seed}`),
    ['float-1', 'twn-1', 'tga-1'],
  )
  for (const run of comparison.runs.slice(1)) {
    const { from, config } = JSON.parse(
      readFileSync(path.join(folder, `out/${run.method}-1/config.json`), 'utf8'),
    )
    assert.equal(from, path.join('out', 'float-1'))
    assert.equal(config.layers, 'all')
  }
  assert.ok(readFileSync(path.join(folder, 'out/comparison.html'), 'utf8').includes('<svg'))
})

test('compare goes on with what is there, and refuses what was trained otherwise', async () => {
  const again = await sterna(folder, `${line} --json`)
  assert.equal(again.status, 0, again.stderr)
  assert.equal(again.stderr.match(/was trained already/g)!.length, 3)
  assert.equal(JSON.parse(again.stdout).runs.length, 3)
  const other = await sterna(folder, line.replace('--epochs 1', '--epochs 2'))
  assert.equal(other.status, 2)
  assert.match(other.stderr, /holds a run with other settings/)
})

test('compare checks everything before it starts', async () => {
  const cases = [
    ['--methods twn,tgo', /no method is named "tgo".*\n.*tga/],
    ['--methods twn,twn', /"twn" is given twice/],
    ['--methods float', /at least one method beside float/],
    ['--layers first', /--layers: expected all/],
    ['--seeds 0', /--seeds: expected a whole number/],
  ] as const
  for (const [flags, message] of cases) {
    const { status, stderr } = await sterna(folder, `compare --data ${TINY_DATA} --out none ${flags}`)
    assert.equal(status, 2, flags)
    assert.match(stderr, message)
  }
  assert.ok(!existsSync(path.join(folder, 'none')))
})
