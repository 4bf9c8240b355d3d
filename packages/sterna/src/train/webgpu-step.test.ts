import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SternaError } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { zooEntry } from '../models/index.ts'
import { createQuantizer, methods } from '../ternary/index.ts'
import { defaultConfig } from './presets.ts'
import { quantizeNetwork } from './quantized-network.ts'
import { buildStep } from './step-graph.ts'

/** In strict mode nothing runs on the CPU unnoticed. */
const engine = await createEngine({ device: 'webgpu', strict: true }).catch((error: unknown) => {
  if (error instanceof SternaError) return error.message
  throw error
})

test('the training step of every method runs on WebGPU and nowhere else', {
  skip: typeof engine === 'string' ? engine : false,
}, async () => {
  assert.ok(typeof engine !== 'string')
  const steps = [
    ...methods.map(({ name }) => ['lenet5', name, {}] as const),
    ['lenet5', 'twn', { threshold: 'exact' }] as const,
    ['resnet20', 'ec2t', {}] as const,
  ]
  for (const [network, method, methodOptions] of steps) {
    const model = zooEntry(network).create(10, 1)
    const config = defaultConfig(network, method, { spec: 'none' }, { batchSize: 4, methodOptions })
    const { layers } = quantizeNetwork(model, createQuantizer(method, methodOptions), config.layers)
    const executable = await engine.load(buildStep(model.graph, layers, config).program)
    await executable.release()
  }
  await engine.close()
})
