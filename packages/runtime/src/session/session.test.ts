import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SternaError, type SternaErrorCode } from '../errors.ts'
import {
  convAttributes,
  createRandom,
  gemmAttributes,
  lenet5,
  ModelSketch,
  randomArray,
  randomDense,
  randomTernary,
} from '../kernels/testing/models.ts'
import { describeModel, load, loadModel } from './index.ts'

const fails = (code: SternaErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof SternaError, `expected a SternaError, found ${error}`)
  assert.equal(error.code, code)
  assert.match(error.message, message)
  return true
}

function twoInputs() {
  const m = new ModelSketch()
  const sum = m.node('Add', [m.input('a', [1, 4]), m.input('b', [1, 4])], {})
  return m.model(sum, m.node('Relu', [sum], {}))
}

describe('Session.run', () => {
  test('gives every image of a batch exactly what it gives the image alone', async () => {
    const session = await loadModel(lenet5(0.9))
    const images = randomArray(createRandom(3), 3 * 784)
    const together = session.run(images)
    assert.deepEqual(together.shape, [3, 10])
    for (let image = 0; image < 3; image++) {
      const alone = session.run(images.subarray(image * 784, (image + 1) * 784))
      assert.deepEqual(alone.shape, [1, 10])
      assert.deepEqual(together.output.subarray(image * 10, (image + 1) * 10), alone.output)
    }
  })

  test('hands out arrays of its own that later runs leave alone', async () => {
    const session = await loadModel(lenet5(0.9))
    const random = createRandom(4)
    const first = session.run(randomArray(random, 784)).output
    const kept = first.slice()
    session.run(randomArray(random, 784))
    assert.deepEqual(first, kept)
  })

  test('takes several inputs and returns several outputs by name', async () => {
    const session = await loadModel(twoInputs())
    const { outputs } = session.run({ a: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(0, -5, 1, 1) })
    assert.deepEqual([...outputs.v0!.data], [1, -3, 4, 5])
    assert.deepEqual([...outputs.v1!.data], [1, 0, 4, 5])
    assert.deepEqual(session.outputs, [
      { name: 'v0', shape: [1, 4] },
      { name: 'v1', shape: [1, 4] },
    ])
  })

  test('says which input has which length where it does not fit', async () => {
    const session = await loadModel(lenet5(0.9))
    const message = /input "x": expected 784 numbers \[1,1,28,28\] for each image, found 783/
    assert.throws(() => session.run(new Float32Array(783)), fails('usage/input', message))
    assert.throws(() => session.run(new Float32Array(0)), fails('usage/input', /found 0/))
    assert.throws(() => session.run({ y: new Float32Array(784) }), fails('usage/input', /input "x"/))
    assert.throws(() => session.run([1, 2] as never), fails('usage/input', /expected a Float32Array/))
  })

  test('refuses inputs that hold different numbers of images, and one array for two inputs', async () => {
    const session = await loadModel(twoInputs())
    const a = new Float32Array(4)
    assert.throws(() => session.run({ a, b: new Float32Array(8) }), fails('usage/input', /1, 2/))
    assert.throws(() => session.run(a), fails('usage/input', /input "a"/))
    assert.throws(() => session.run({ a }), fails('usage/input', /input "b"/))
  })

  test('writes results into arrays it is given, for one image and for several', async () => {
    const session = await loadModel(lenet5(0.9))
    const images = randomArray(createRandom(3), 3 * 784)
    for (const input of [images, images.subarray(784, 2 * 784)]) {
      const expected = session.run(input)
      const into = new Float32Array(expected.output.length)
      for (const run of ['run', 'runBatch'] as const) {
        const result = await session[run](input, { into })
        assert.equal(result.output, into)
        assert.deepEqual(result, expected)
        into.fill(0)
      }
    }
    const two = await loadModel(twoInputs())
    const into = { v0: new Float32Array(4), v1: new Float32Array(4) }
    const { outputs } = two.run({ a: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(0, -5, 1, 1) }, { into })
    assert.deepEqual([...into.v1], [1, 0, 4, 5])
    assert.equal(outputs.v0!.data, into.v0)
  })

  test('says which output was given no room that fits', async () => {
    const session = await loadModel(lenet5(0.9))
    const images = new Float32Array(2 * 784)
    const message = /output "\w+": expected room for 20 numbers, 2 × \[1,10\], found 19/
    const into = new Float32Array(19)
    assert.throws(() => session.run(images, { into }), fails('usage/input', message))
    await assert.rejects(session.runBatch(images, { into }), fails('usage/input', message))
    assert.throws(() => session.run(images, { into: {} }), fails('usage/input', /output ".*": expected a F/))
    const two = await loadModel(twoInputs())
    const inputs = { a: new Float32Array(4), b: new Float32Array(4) }
    assert.throws(() => two.run(inputs, { into }), fails('usage/input', /output "v0"/))
  })

  test('classifies by the largest number and names the class', async () => {
    const m = new ModelSketch()
    const model = { ...m.model(m.input('x', [1, 3])), metadata: { classes: ['cat', 'dog', 'owl'] } }
    const session = await loadModel(model)
    assert.deepEqual(session.classify(Float32Array.of(0, 2, 1, 5, 5, 4)), [
      { index: 1, score: 2, label: 'dog' },
      { index: 0, score: 5, label: 'cat' },
    ])
  })
})

describe('Session.runBatch on the calling thread', () => {
  test('gives what run gives, and lets the event loop turn between images', async () => {
    const session = await loadModel(lenet5(0.9), { kernels: 'reference' })
    assert.deepEqual([session.threads, session.threadsReason], [1, 'asked for'])
    const images = randomArray(createRandom(3), 8 * 784)
    let turns = 0
    const count = (): void => {
      turns++
      counting = setImmediate(count)
    }
    let counting = setImmediate(count)
    const result = await session.runBatch(images)
    clearImmediate(counting)
    assert.ok(turns >= 2, `${turns} turns`)
    assert.deepEqual(result, session.run(images))
  })
})

describe('loading', () => {
  test('falls back to the reference kernels where WebAssembly may not be compiled, and says so', async t => {
    const forbidden = new WebAssembly.CompileError('forbidden')
    t.mock.method(WebAssembly, 'Module', () => {
      throw forbidden
    })
    t.mock.method(WebAssembly, 'compile', () => Promise.reject(forbidden))
    const session = await loadModel(lenet5(0.9))
    assert.equal(session.describe().kernels, 'reference')
    assert.match(session.describe().reason, /refuses to compile/)
    assert.equal(session.run(new Float32Array(784)).output.length, 10)
  })

  test('refuses bytes that are no .sterna file and kernels it does not know', async () => {
    await assert.rejects(load(new Uint8Array(0)), (error: unknown) => error instanceof SternaError)
    await assert.rejects(load(new ArrayBuffer(64)), (error: unknown) => error instanceof SternaError)
    await assert.rejects(
      loadModel(twoInputs(), { kernels: 'fast' as never }),
      fails('usage/option', /"fast"/),
    )
  })

  test('takes no more memory than it describes, to the next page', async () => {
    const { memory } = await describeModel(lenet5(0.9))
    assert.ok(memory.totalBytes >= memory.weightBytes + memory.scratchBytes + memory.arenaBytes)
    assert.ok(memory.totalBytes < 500_000, `${memory.totalBytes} bytes`)
  })
})

describe('describe', () => {
  const oneConv = (positive: number[], negative: number[], bias: boolean) => {
    const m = new ModelSketch()
    const x = m.input('x', [1, 2, 6, 6])
    const random = createRandom(1)
    const weight = {
      ...randomTernary(random, [2, 2, 3, 3], 0),
      assignment: Int8Array.from({ length: 36 }, (_, i) => (i % 6 === 0 ? 1 : i % 6 === 3 ? -1 : 0)),
      positive: Float32Array.from(positive),
      negative: Float32Array.from(negative),
    }
    const operands = [x, m.tensor(weight), ...(bias ? [m.tensor(randomDense(random, [2]))] : [])]
    return m.model(m.node('Conv', operands, convAttributes(1, 1)))
  }

  test('counts an addition for each non-zero weight and position, and two multiplications an output', async () => {
    const { layers, additions, multiplications } = await describeModel(oneConv([0.5], [0.25], true))
    assert.equal(layers[0]!.kernel, 'add-lists')
    assert.equal(layers[0]!.weights, 36)
    assert.equal(layers[0]!.zeros, 24)
    assert.equal(additions, 12 * 36 + 2 * 36)
    assert.equal(multiplications, 2 * 2 * 36)
  })

  test('counts one multiplication an output where both magnitudes are equal', async () => {
    for (const magnitudes of [[0.5], [0.5, 0.75]]) {
      const { additions, multiplications } = await describeModel(oneConv(magnitudes, magnitudes, false))
      assert.equal(additions, 12 * 36)
      assert.equal(multiplications, 2 * 36)
    }
  })

  test('counts a multiplication and an addition for every weight of a dense layer', async () => {
    const m = new ModelSketch()
    const x = m.input('x', [1, 20])
    const random = createRandom(1)
    const y = m.node(
      'Gemm',
      [x, m.tensor(randomDense(random, [5, 20])), m.tensor(randomDense(random, [5]))],
      gemmAttributes,
    )
    const { additions, multiplications } = await describeModel(m.model(m.node('Relu', [y], {})))
    assert.deepEqual([additions, multiplications], [105, 100])
  })

  test('names each layer with what is fused into it, its kernel and the reason', async () => {
    const { layers } = await describeModel(lenet5(0.95))
    assert.deepEqual(
      layers.map(layer => layer.op),
      ['Conv + Relu', 'MaxPool', 'Conv + Relu', 'MaxPool', 'Flatten', 'Gemm + Relu', 'Gemm'],
    )
    assert.equal(layers[5]!.kernel, 'gather-lists')
    assert.match(layers[5]!.reason, /95\.\d % zeros/)
  })

  test('chooses lists for a fully connected layer only where they are faster', async () => {
    const kernelAt = async (zeros: number) => {
      const m = new ModelSketch()
      const weight = m.tensor(randomTernary(createRandom(1), [256, 512], zeros))
      const model = m.model(m.node('Gemm', [m.input('x', [1, 512]), weight], gemmAttributes))
      return (await describeModel(model)).layers[0]!.kernel
    }
    assert.equal(await kernelAt(0.5), 'dense-rows')
    assert.equal(await kernelAt(0.9), 'gather-lists')
  })
})
