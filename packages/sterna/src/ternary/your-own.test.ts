import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import { readSterna } from 'sterna-runtime'
import { f32, SternaError } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import type { Packed } from '../pack/index.ts'
import { addMethod, createQuantizer } from './methods.ts'
import { goldenWeights, layerOf, loadFor } from './testing/quantizer-run.ts'

const page = readFileSync(new URL('../../../../docs/methods/your-own.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(match => match[1]!)

// Beside the compiled code, where the package finds itself by its name.
const script = new URL('your-own-page.mjs', import.meta.url)
writeFileSync(script, blocks.join('\n'))
after(() => rmSync(script))
const { packed } = (await import(script.href)) as { readonly packed: Packed }

describe('the method of the page', () => {
  it('takes 25 lines', () => {
    const lines = blocks[0]!.trimEnd().split('\n')
    assert.ok(lines.length <= 25, `${lines.length} lines`)
  })

  it('trains and packs: every layer of the file is ternary', () => {
    const { tensors } = readSterna(packed.bytes).model
    const ternary = [...tensors.values()].filter(tensor => tensor.kind === 'ternary')
    assert.equal(ternary.length, 4)
  })

  it('computes with the levels it assigns, and has the derivative of its magnitude', async () => {
    const engine = await createEngine({ device: 'cpu', threads: 1 })
    const layer = layerOf([2, 5])
    const latent = f32(layer.shape, goldenWeights)
    const quantizer = createQuantizer('rounded')!
    const state = quantizer.init(latent, layer)
    const loaded = await loadFor(engine, quantizer, layer)
    const gradient = goldenWeights.map((_, i) => i / 10)
    const { weight, stateGradients } = await loaded.run(latent, state, gradient)
    const { assignment, positive } = quantizer.assign(latent, state, layer)
    assert.deepEqual([...assignment], [-1, -1, 0, 0, 0, 0, 1, 1, 1, 1])
    assert.deepEqual(
      [...weight],
      Array.from(assignment, sign => sign * positive[0]!).map(value => value + 0),
    )
    const expected = gradient.reduce((sum, g, i) => sum + g * assignment[i]!, 0)
    assert.ok(Math.abs(stateGradients.magnitude![0]! - expected) < 1e-6)
    await engine.close()
  })

  it('cannot take a name that is taken', () => {
    const again = () => addMethod({ name: 'rounded', description: '', create: () => undefined })
    assert.throws(again, (error: unknown) => error instanceof SternaError && /already/.test(error.message))
  })
})
