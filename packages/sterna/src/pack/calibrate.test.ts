import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { integerValues, loadModel, type PackedModel } from 'sterna-runtime'
import { expectF32 } from '../core/index.ts'
import { createGlyphs, sampleImages, viewAll } from '../data/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { quantizeActivations } from '../graph/passes/index.ts'
import { lenet5 } from '../models/index.ts'
import type { TernaryWeight } from '../ternary/index.ts'
import { createEnginePredictor, evaluate, type Predictor } from '../train/index.ts'
import { calibrate, packModel, toModel, withActivations } from './index.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

const glyphs = createGlyphs({ train: 120, test: 10 })
const set = { imageShape: glyphs.imageShape, normalization: glyphs.normalization }
const images = viewAll(glyphs.train)
const options = { choice: 'mse', levels: 127, batchSize: 32 } as const

/** LeNet-5 with every layer ternary but the last; its batch norm as created. */
const model = lenet5(10, 1)
const ternary = new Map(
  [...model.parameters]
    .filter(([name, { shape }]) => shape.length > 1 && name !== 'fc2.weight')
    .map(([name, tensor]): [string, TernaryWeight] => {
      const { data, shape } = expectF32(tensor, name)
      const mean = data.reduce((sum, weight) => sum + Math.abs(weight), 0) / data.length
      const assignment = Int8Array.from(data, w => (Math.abs(w) < mean ? 0 : Math.sign(w)))
      const [positive, negative] = [Float32Array.of(1.6 * mean), Float32Array.of(1.4 * mean)]
      return [name, { shape, assignment, positive, negative }]
    }),
)
const { packed } = packModel(model, ternary, { dense: 'f16', metadata: {} })

test('every value that integer arithmetic asks for has a range, with no more levels than its sums allow', async () => {
  const ranges = await calibrate(packed, engine, { ...set, images }, { ...options, levels: 255 })
  const values = integerValues(packed)
  assert.deepEqual(
    [...ranges.keys()],
    values.map(({ name }) => name),
  )
  assert.ok(values.some(({ maxLevel }) => maxLevel < 255) && ranges.size >= 3)
  for (const { name, maxLevel } of values) assert.equal(ranges.get(name)!.max, maxLevel)
})

test('the same images give the same ranges, whatever the batch size, and a smaller last batch adds nothing', async () => {
  const some = sampleImages(images, 50, 1)
  const [one, two, other] = [
    await calibrate(packed, engine, { ...set, images: some }, options),
    await calibrate(packed, engine, { ...set, images: some }, { ...options, batchSize: 50 }),
    await calibrate(packed, engine, { ...set, images: sampleImages(images, 50, 2) }, options),
  ]
  assert.deepEqual(one, two)
  assert.notDeepEqual(one, other)
})

test('the runtime in integers computes what floats rounded to the ranges give', async () => {
  const activations = await calibrate(packed, engine, { ...set, images }, options)
  const { packed: calibrated } = withActivations(model, packed, activations, 'small')
  assert.deepEqual(calibrated, { ...packed, activations })
  const { graph, parameters } = toModel(packed)
  const rounded = await createEnginePredictor(engine, quantizeActivations(graph, activations), 60)
  await rounded.setParameters(parameters)
  const integers = await loadModel(calibrated, { arithmetic: 'int' })
  assert.equal(integers.describe().arithmetic, 'int')
  const [expected, found, float] = [
    await logitsOf(rounded.predict),
    await logitsOf(async x => integers.run(x).output!),
    await logitsOf(await floats(packed)),
  ]
  const spread = Math.sqrt(meanSquare(float, () => 0))
  const differences = { rounding: rootMean(found, expected), ranges: rootMean(expected, float) }
  assert.ok(differences.ranges < 0.05 * spread, `${differences.ranges} of ${spread}`)
  assert.ok(differences.rounding < 0.03 * spread, `${differences.rounding} of ${spread}`)
})

test('a network without ternary layers has no ranges', async () => {
  const dense = packModel(model, new Map(), { dense: 'f16', metadata: {} }).packed
  assert.equal((await calibrate(dense, engine, { ...set, images }, options)).size, 0)
})

async function floats(of: PackedModel): Promise<Predictor> {
  const session = await loadModel(of)
  return async x => session.run(x).output!
}

async function logitsOf(predict: Predictor): Promise<readonly number[]> {
  const kept: number[] = []
  const keeping: Predictor = async (x, count) => {
    const logits = await predict(x, count)
    kept.push(...logits)
    return logits
  }
  await evaluate(keeping, { ...set, images }, { loss: 'cross-entropy', batchSize: 60 })
  return kept
}

function meanSquare(numbers: readonly number[], expected: (index: number) => number): number {
  return numbers.reduce((sum, x, index) => sum + (x - expected(index)) ** 2, 0) / numbers.length
}

function rootMean(found: readonly number[], expected: readonly number[]): number {
  return Math.sqrt(meanSquare(found, index => expected[index]!))
}
