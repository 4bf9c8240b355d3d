import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createEngine } from '../engine/index.node.ts'
import { argMax, createEnginePredictor, evaluate, type Predictor } from './evaluate.ts'
import { exampleLoss } from './loss.ts'
import { tinyConfig, tinyData, tinyNetwork } from './testing/tiny.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const { normalization } = tinyConfig('float')
const set = { images: tinyData.train, imageShape: tinyData.imageShape, normalization }

test('the first of equal logits wins', () => {
  assert.equal(argMax([1, 3, 3, 2]), 1)
  assert.equal(argMax(new Float32Array(4)), 0)
})

test('accuracy and loss count every image once, the smaller last batch included', async () => {
  const sizes: number[] = []
  // Guesses 3 for every image; glyphs of all ten digits come equally often.
  const predict: Predictor = async (images, count) => {
    assert.equal(images.length, count * 28 * 28)
    sizes.push(count)
    return Float32Array.from({ length: count * 10 }, (_, i) => (i % 10 === 3 ? 1 : 0))
  }
  const seen: number[] = []
  const found = await evaluate(predict, set, {
    loss: 'cross-entropy',
    batchSize: 100,
    onProgress: count => seen.push(count),
  })
  assert.deepEqual(sizes, [100, 100, 40])
  assert.deepEqual(seen, [100, 200, 240])
  assert.equal(found.samples, 240)
  assert.equal(found.accuracy, 0.1)
  assert.deepEqual(new Set(found.predictions), new Set([3]))
  const guess = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
  const expected = 0.1 * exampleLoss('cross-entropy', guess, 3) + 0.9 * exampleLoss('cross-entropy', guess, 0)
  assert.ok(Math.abs(found.loss - expected) < 1e-12)
})

test('a network with fewer classes than the labels need is refused', async () => {
  const predict: Predictor = async (_, count) => new Float32Array(count * 5)
  await assert.rejects(evaluate(predict, set, { loss: 'hinge', batchSize: 100 }), {
    code: 'data/invalid',
    message: /label 5 of image 5, network has 5 classes/,
  })
})

test("an engine's predictor gives the same logits for full and partly filled batches", async () => {
  const { graph, parameters } = tinyNetwork()
  const predictor = await createEnginePredictor(engine, graph, 8)
  await predictor.setParameters(parameters)
  const images = Float32Array.from({ length: 8 * 784 }, (_, i) => Math.sin(i))
  const full = await predictor.predict(images, 8)
  const part = await predictor.predict(images.subarray(0, 3 * 784), 3)
  assert.equal(full.length, 80)
  assert.deepEqual(part, full.slice(0, 30))
  await assert.rejects(predictor.predict(images.subarray(1), 8), { code: 'usage/input' })
  await assert.rejects(predictor.predict(new Float32Array(9 * 784), 9), {
    code: 'usage/input',
    message: /tiny: expected images of \[8,1,28,28\], found 7056 numbers/,
  })
  await predictor.release()
})

test('a graph that is no classifier is refused', async () => {
  const { graph } = tinyNetwork()
  const inner = graph.nodes[0]!.outputs[0]!
  await assert.rejects(createEnginePredictor(engine, { ...graph, outputs: [inner] }, 2), {
    code: 'graph/shape',
    message: /expected logits \[N, K\]/,
  })
  await assert.rejects(createEnginePredictor(engine, { ...graph, outputs: [...graph.outputs, inner] }, 2), {
    message: /expected one input and one output, found 1 and 2/,
  })
})
