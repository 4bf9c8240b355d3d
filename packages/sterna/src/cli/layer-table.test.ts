import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { zooEntry } from '../models/index.ts'
import { readTrained } from '../train/trained-file.ts'
import { createFolder, sterna, TINY_DATA } from './testing/command.node.ts'

const folder = createFolder()
const line = `train --config options.json --model lenet5 --data ${TINY_DATA} --epochs 1 --out`

function configure(options: object): void {
  writeFileSync(path.join(folder, 'options.json'), JSON.stringify(options))
}

test('a table of layers decides the method and granularity of each', async () => {
  configure({
    method: 'tga',
    layers: [
      { index: 0, method: 'float' },
      { name: 'fc*', method: 'twn', options: { granularity: 'filter' } },
    ],
  })
  const { status, stderr } = await sterna(folder, `${line} run`)
  assert.equal(status, 0, stderr)
  const file = path.join(folder, 'run/model.safetensors')
  const { ternary } = readTrained(zooEntry('lenet5').create(10, 1).graph, readFileSync(file), file)
  assert.deepEqual(
    [...ternary].map(([name, { positive }]) => [name, positive.length]),
    [
      ['conv2.weight', 1],
      ['fc1.weight', 512],
      ['fc2.weight', 10],
    ],
  )
})

test('a table that does not fit is refused before anything is written', async () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [
      { method: 'ttq', layers: [{ name: 'conv9.weight' }] },
      /row 1 \(name "conv9.weight"\) matches no weight[\s\S]*conv1/,
    ],
    [{ method: 'ttq', layers: [{ name: 'conv*' }, { name: '*1.weight' }] }, /both claim "conv1.weight"/],
    [{ method: 'ttq', layers: [{ index: 0, method: 'tgo' }] }, /no method is named "tgo"[\s\S]*tga/],
    [{ method: 'ttq', methodOptions: { thresholdFactor: 1.5 } }, /expected \(0, 1\], found 1.5/],
    [{ method: 'ttq', layers: 'first' }, /layers: expected all/],
  ]
  for (const [options, message] of cases) {
    configure(options)
    const { status, stderr } = await sterna(folder, `${line} none`)
    assert.notEqual(status, 0)
    assert.match(stderr, message)
    assert.ok(!existsSync(path.join(folder, 'none')), 'a run directory was made')
  }
})
