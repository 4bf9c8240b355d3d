import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { methods } from '../ternary/index.ts'
import { checkConfig, defaultConfig } from '../train/index.ts'
import { readPreset } from './config-file.ts'
import { createFolder, sterna, TINY_DATA } from './testing/command.node.ts'

test('every preset makes a configuration in range, by its own method', () => {
  const names = methods.flatMap(method => method.presets.map(preset => [method.name, preset.name] as const))
  assert.ok(names.length >= 5)
  for (const [method, name] of names) {
    const preset = readPreset(name)
    assert.equal(preset.method, method)
    checkConfig(defaultConfig(preset.model ?? 'lenet5', method, { spec: 'mnist' }, preset))
  }
})

test('train takes a preset, and flags go before it', async () => {
  const folder = createFolder()
  const line = `train --preset tga-all-layers --model lenet5 --data ${TINY_DATA} --epochs 1 --batch-size 30 --out run`
  const { status, stderr } = await sterna(folder, line)
  assert.equal(status, 0, stderr)
  const { config } = JSON.parse(readFileSync(path.join(folder, 'run/config.json'), 'utf8'))
  assert.deepEqual([config.method, config.layers, config.epochs, config.batchSize], ['tga', 'all', 1, 30])
  assert.deepEqual(config.schedule.epochs, [25, 30, 35])
  assert.deepEqual(config.groupOptimisers, { state: { kind: 'sgd', momentum: 0, nesterov: false } })

  const unknown = await sterna(folder, `train --preset tga-al --data ${TINY_DATA} --out none`)
  assert.equal(unknown.status, 2)
  assert.match(unknown.stderr, /no preset is named "tga-al"[\s\S]*tga-all-layers/)
})
