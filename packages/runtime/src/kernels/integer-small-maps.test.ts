/** On bytes, convolutions of maps smaller than a vector. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { describeModel } from '../session/index.ts'
import { calibrated, conforms } from '../session/testing/on-bytes.node.ts'
import { convAttributes, createRandom, ModelSketch, randomDense, randomTernary } from './testing/models.ts'

describe('bytes', () => {
  test('come out alike of maps smaller than a vector, as matrices where that is faster', async () => {
    const random = createRandom(45)
    const sizes = [
      [1, 1, 3, 1],
      [1, 1, 1, 0],
      [2, 2, 3, 1],
      [3, 3, 3, 0],
      [1, 7, 3, 1],
      [4, 3, 2, 0],
      [5, 2, 3, 1],
    ] as const
    for (const [height, width, kernel, pad] of sizes) {
      for (const [zeros, groups] of [
        [0.3, 1],
        [0.8, 1],
        [0.97, 1],
        [0.5, 4],
      ] as const) {
        const m = new ModelSketch()
        const layer = (x: string, inputs: number, size: number) => {
          const weight = randomTernary(random, [32, inputs / groups, size, size], zeros, { magnitudes: 32 })
          const tensors = [m.tensor(weight), m.tensor(randomDense(random, [32]))]
          return m.node('Relu', [m.node('Conv', [x, ...tensors], convAttributes(1, pad, { groups }))], {})
        }
        const first = layer(m.input('x', [1, 48, height, width]), 48, kernel)
        // Read as it lies by another layer, by a residual, and through a movement.
        const second = layer(first, 32, 1)
        const third = m.node('Relu', [m.node('Add', [layer(first, 32, 1), second], {})], {})
        const moved = m.node('Concat', [second, third], { axis: 1 })
        const model = m.model(third, m.node('Transpose', [moved], { perm: [0, 2, 3, 1] }))
        const packed = calibrated(model, random, () => 127)
        await conforms(packed, random, `${height} × ${width}, ${kernel}, ${zeros}, ${groups}`)
      }
    }
    const chain = new ModelSketch()
    let x = chain.input('x', [1, 64, 1, 1])
    for (let i = 0; i < 3; i++) {
      const weight = chain.tensor(randomTernary(random, [64, 64, 3, 3], 0.5))
      x = chain.node('Relu', [chain.node('Conv', [x, weight], convAttributes(1, 1))], {})
    }
    const used = await conforms(
      calibrated(chain.model(x), random, () => 127),
      random,
      'a chain',
    )
    const matrices = ['byte-lookup', 'byte-lookup', 'byte-lookup']
    assert.deepEqual(used, ['quantize', ...matrices, 'dequantize'])
  })

  test('take no more memory for matrices because many layers share a tensor', async () => {
    const m = new ModelSketch()
    let x = m.input('x', [1, 2048, 1, 1])
    const weight = m.tensor(randomTernary(createRandom(46), [2048, 2048, 1, 1], 0.5))
    for (let i = 0; i < 20; i++) x = m.node('Conv', [x, weight], convAttributes())
    const range = { scale: 1, zero: 64, max: 127 }
    const activations = new Map(
      ['x', ...Array.from({ length: 20 }, (_, i) => `v${i}`)].map(name => [name, range]),
    )
    const { layers } = await describeModel({ ...m.model(x), activations })
    const matrices = layers.filter(({ kernel }) => kernel === 'byte-lookup').length
    assert.deepEqual([matrices, layers.filter(({ kernel }) => kernel === 'byte-lists').length], [16, 4])
  })
})
