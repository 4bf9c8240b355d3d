import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SternaError } from '../core/index.ts'
import { createEngine } from './create-engine.node.ts'
import { blockInput, blockOf } from './fast/probe.ts'
import type { LoweringName } from './types.ts'

async function opened(lowering: LoweringName | 'auto') {
  const engine = await createEngine({ device: 'cpu', threads: 1, lowering })
  await engine.close()
  return engine
}

describe('the lowering of an engine', () => {
  it('is the one asked for', async () => {
    const { lowering, loweringReason } = await opened('standard')
    assert.deepEqual([lowering, loweringReason], ['standard', 'as asked'])
  })

  it('is the fast one exactly where the fast lowering agrees with the standard one', async () => {
    const { lowering, loweringReason } = await opened('auto')
    const fast = await opened('fast').catch(error => error)
    if (lowering === 'fast') {
      assert.equal(loweringReason, 'the fast lowering agrees with the standard one')
      assert.equal(fast.lowering, 'fast')
    } else {
      assert.match(loweringReason, /^no fast lowering: /)
      assert.ok(fast instanceof SternaError && fast.code === 'engine/unavailable')
    }
  })
})

describe('the block is read off numbers that tell their place', () => {
  const inBlocks = (block: number) =>
    Array.from({ length: 64 }, (_, at) => {
      const channel = Math.floor(at / (2 * block)) * block + (at % block)
      return blockInput.data[channel * 2 + (Math.floor(at / block) % 2)]!
    })

  it('of 8 and of 16', () => {
    assert.equal(blockOf(inBlocks(8)), 8)
    assert.equal(blockOf(inBlocks(16)), 16)
  })

  it('and is unknown where they lie otherwise', () => {
    assert.equal(blockOf(inBlocks(4)), undefined)
    assert.equal(blockOf(blockInput.data), undefined)
  })
})
