import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { createFolder, sterna, TINY_DATA } from './testing/command.node.ts'

test('quickstart compares three packed networks, keeps what is trained, and refuses other settings', async () => {
  const folder = createFolder()
  const line = `quickstart --data ${TINY_DATA} --epochs 1 --json`
  const first = await sterna(folder, line)
  assert.equal(first.status, 0, first.stderr)
  const { networks, directory } = JSON.parse(first.stdout)
  assert.equal(directory, 'quickstart')
  assert.deepEqual(
    networks.map((row: { name: string }) => row.name),
    ['float', 'twn', 'ec2t'],
  )
  for (const row of networks) {
    assert.equal(row.bytes, statSync(path.join(folder, row.file)).size)
    assert.match(row.engine, /^sterna-runtime/)
    assert.ok(row.agreement.equal >= row.agreement.samples - 1, row.name)
    assert.ok(row.additions > 0 && row.imageMs > 0 && row.bitsPerWeight > 0)
  }

  const model = path.join(folder, 'quickstart/ec2t/model.safetensors')
  const before = readFileSync(model)
  const again = await sterna(folder, line)
  assert.equal(again.status, 0, again.stderr)
  assert.match(again.stderr, /ec2t {3}is trained already/)
  assert.ok(before.equals(readFileSync(model)))

  const other = await sterna(folder, `quickstart --data ${TINY_DATA} --epochs 2`)
  assert.equal(other.status, 2)
  assert.match(other.stderr, /^error: quickstart.float holds a run with other settings$/m)
})
