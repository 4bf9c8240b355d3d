import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { createFolder, start, sterna } from './testing/command.node.ts'

const skip = process.platform === 'win32' && 'Windows has no SIGINT for child processes'

test('Ctrl-C leaves a run that --resume ends with the bytes of an unbroken one', { skip }, async () => {
  const folder = createFolder()
  const words = (out: string) =>
    `train --model lenet5-classic --data glyphs:train=600,test=50 --method twn --epochs 3 --frozen-epochs 0 --out ${out}`.split(
      ' ',
    )
  const unbroken = await start(folder, words('unbroken'))
  assert.equal(unbroken.status, 0, unbroken.stderr)

  let interrupted = false
  const broken = await start(folder, words('broken'), (text, child) => {
    if (interrupted || !text.includes('epoch 1/3')) return
    interrupted = true
    child.kill('SIGINT')
  })
  assert.equal(broken.status, 1, broken.stderr)
  assert.match(broken.stderr, /^hint: continue it with: sterna train --resume broken$/m)

  const resumed = await sterna(folder, 'train --resume broken')
  assert.equal(resumed.status, 0, resumed.stderr)
  assert.match(resumed.stderr, /^continues at epoch [23], step \d+$/m)
  const model = (run: string) => readFileSync(path.join(folder, run, 'model.safetensors'))
  assert.ok(model('broken').equals(model('unbroken')))
})
