import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { SternaError } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { methods } from '../ternary/index.ts'
import { checkConfig } from './config.ts'
import { tinyConfig, trainTiny } from './testing/tiny.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const coarse = { scale: 0.5, zero: 0, max: 3 }
const activations = { 'relu1:out': coarse, 'relu2:out': coarse }

describe('training with activations as bytes', () => {
  it('changes what is learned and how it is validated, and the ranges stay', async () => {
    const plain = await trainTiny(engine, tinyConfig('twn'))
    const bytes = await trainTiny(engine, tinyConfig('twn', { activations }))
    const history = ({ checkpoints }: typeof plain) => checkpoints.at(-1)!.progress.history
    assert.notEqual(history(plain).at(-1)!.trainLoss, history(bytes).at(-1)!.trainLoss)
    assert.ok(Number.isFinite(history(bytes).at(-1)!.validationLoss))
    assert.ok(history(bytes).at(-1)!.trainLoss < history(bytes)[0]!.trainLoss)
    assert.deepEqual(bytes.checkpoints.at(-1)!.config.activations, activations)
  })

  it('goes with every method, one of two passes included', async () => {
    for (const { name } of methods) {
      const { checkpoints } = await trainTiny(
        engine,
        tinyConfig(name, { activations, epochs: 1, frozenEpochs: 0 }),
      )
      assert.ok(Number.isFinite(checkpoints.at(-1)!.progress.history[0]!.trainLoss), name)
    }
  })

  it('refuses ranges of values that the network does not compute, and what is no range', async () => {
    const isConfigError = (error: unknown) => error instanceof SternaError && error.code === 'train/config'
    for (const name of ['relu9:out', 'fc.weight']) {
      await assert.rejects(
        trainTiny(engine, tinyConfig('twn', { activations: { [name]: coarse } })),
        (error: unknown) => isConfigError(error) && (error as SternaError).message.includes(name),
      )
    }
    for (const bad of [{ ...coarse, scale: -1 }, { ...coarse, zero: 4 }, { ...coarse, max: 256 }, null]) {
      const config = tinyConfig('twn', { activations: { 'relu1:out': bad as never } })
      assert.throws(() => checkConfig(config), isConfigError)
    }
  })
})
