import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PackedModel, PackedTensor } from '../../file/types.ts'
import {
  convAttributes,
  createRandom,
  gemmAttributes,
  ModelSketch,
  randomArray,
  randomTernary,
} from '../../kernels/testing/models.ts'
import { widenTensor } from '../../kernels/widen-tensor.ts'
import { describeModel, loadModel } from '../../session/index.ts'
import { sizeOf } from '../shape.ts'

interface Layer {
  readonly input: readonly number[]
  readonly weight: readonly number[]
  readonly groups?: number
}

const layers: Readonly<Record<string, Layer>> = {
  '3x3 on 16x16': { input: [1, 32, 16, 16], weight: [32, 32, 3, 3] },
  '3x3 on 5x5': { input: [1, 8, 5, 5], weight: [8, 8, 3, 3] },
  '1x1 on 16x16': { input: [1, 64, 16, 16], weight: [64, 64, 1, 1] },
  '1x1 on 7x7': { input: [1, 128, 7, 7], weight: [64, 128, 1, 1] },
  '5x5 on 14x14': { input: [1, 6, 14, 14], weight: [16, 6, 5, 5] },
  'depthwise 3x3 on 16x16': { input: [1, 64, 16, 16], weight: [64, 1, 3, 3], groups: 64 },
  'grouped 3x3 on 16x16': { input: [1, 32, 16, 16], weight: [32, 8, 3, 3], groups: 4 },
  'fully connected 512-256': { input: [1, 512], weight: [256, 512] },
  'fully connected 256-10': { input: [1, 256], weight: [10, 256] },
}
const shares = [0, 0.3, 0.6, 0.9, 0.99]

function modelOf({ input, weight, groups = 1 }: Layer, tensor: PackedTensor): PackedModel {
  const m = new ModelSketch()
  const operands = [m.input('x', input), m.tensor(tensor)]
  if (weight.length === 2) return m.model(m.node('Gemm', operands, gemmAttributes))
  return m.model(m.node('Conv', operands, convAttributes(1, weight[3]! >> 1, { groups })))
}

/** The layer with ternary weights, and with the same weights as plain numbers, which are run densely. */
function bothModels(layer: Layer, zeros: number): readonly [ternary: PackedModel, dense: PackedModel] {
  const ternary = randomTernary(createRandom(1), layer.weight, zeros)
  const data = Float32Array.from(widenTensor(ternary))
  const dense: PackedTensor = { kind: 'dense', storage: 'f32', shape: layer.weight, data }
  return [modelOf(layer, ternary), modelOf(layer, dense)]
}

const kernelOf = async (model: PackedModel) => (await describeModel(model)).layers[0]!

describe('the choice between lists and dense kernels', () => {
  for (const [name, layer] of Object.entries(layers)) {
    test(`${name}: goes from dense to lists once as zeros grow, and gives both estimates`, async () => {
      const chosen = await Promise.all(
        Array.from({ length: 34 }, (_, i) => kernelOf(bothModels(layer, 0.03 * i)[0])),
      )
      const sparse = chosen.map(({ kernel }) => kernel.endsWith('-lists'))
      assert.equal(sparse.at(-1), true)
      assert.deepEqual(sparse, [...sparse].sort(), 'lists first')
      for (const { reason } of chosen) assert.match(reason, /estimated [\d.e+]+ against [\d.e+]+ µs/)
    })
  }

  // Where the dense kernel was chosen there is nothing to compare. The least of many times in turns hardly depends
  // on what else the machine does; the head-room is for what remains.
  test('is never much slower than the dense kernel of the same weights, by the clock', async () => {
    for (const [name, layer] of Object.entries(layers)) {
      for (const zeros of shares) {
        const models = bothModels(layer, zeros)
        if ((await kernelOf(models[0])).kernel.startsWith('dense')) continue
        const sessions = await Promise.all(models.map(model => loadModel(model)))
        const input = randomArray(createRandom(2), sizeOf(layer.input))
        // Long enough for V8 to compile the kernels with optimisations.
        for (const session of sessions) {
          const endMs = performance.now() + 20
          while (performance.now() < endMs) session.run(input)
        }
        const least = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
        for (let round = 0; round < 40; round++) {
          for (const [i, session] of sessions.entries()) {
            const startedMs = performance.now()
            for (let run = 0; run < 4; run++) session.run(input)
            least[i] = Math.min(least[i]!, performance.now() - startedMs)
          }
        }
        const [lists, dense] = least as [number, number]
        assert.ok(lists <= 1.25 * dense, `${name}, ${zeros}: lists ${lists} ms, dense ${dense} ms`)
      }
    }
  })
})
