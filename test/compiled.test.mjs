/** Networks as WebAssembly modules of their own compute what sessions of their files compute. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { load as loadCompiled } from '../packages/runtime/dist/compiled/index.node.js'
import { loadModel, SternaError } from '../packages/runtime/dist/index.js'
import {
  convAttributes,
  createRandom,
  lenet5,
  ModelSketch,
  mobileBlock,
  randomArray,
  randomDense,
  randomTernary,
  resnet20,
} from '../packages/runtime/dist/kernels/testing/models.js'
import { Random } from '../packages/sterna/dist/core/index.js'
import { exportWasm } from '../packages/sterna/dist/export/index.js'
import { randomNetwork } from '../scripts/fuzz/networks.mjs'
import { withRanges } from './with-ranges.mjs'

const sizeOf = shape => shape.reduce((a, b) => a * b, 1)

/** Compares two images, the second on the memory that the first left; returns the kernels that computed them. */
async function compare(model, options, random) {
  const session = await loadModel(model, options)
  const { bytes } = await exportWasm(model, options)
  const compiled = await loadCompiled(bytes)
  assert.deepEqual(
    [compiled.name, compiled.inputs, compiled.outputs, compiled.metadata],
    [session.name, session.inputs, session.outputs, session.metadata],
  )
  const inputs = Object.fromEntries(
    session.inputs.map(({ name, shape }) => [name, randomArray(random, 2 * sizeOf(shape))]),
  )
  assert.deepEqual(compiled.run(inputs), session.run(inputs))
  return { bytes, kernels: session.describe().layers.map(({ kernel }) => kernel) }
}

describe('a compiled network gives what its session gives, bit for bit,', () => {
  test('whatever its layers are', async () => {
    const random = new Random(7)
    const inputs = createRandom(8)
    const seen = new Set()
    for (let count = 0; count < 300; count++) {
      const model = randomNetwork(random)
      for (const arithmetic of model.activations === undefined ? ['f32'] : ['f32', 'int']) {
        const { kernels } = await compare(model, { arithmetic }, inputs)
        for (const kernel of kernels) seen.add(kernel)
      }
    }
    const lists = ['add-lists', 'gather-lists', 'byte-lists', 'byte-lookup', 'byte-gather']
    const others = ['map', 'broadcast', 'normalize', 'softmax', 'window']
    for (const kernel of [...lists, ...others]) assert.ok(seen.has(kernel), `${kernel} among ${[...seen]}`)
    assert.equal(seen.has('reference'), false)
  })

  test('a block of MobileNetV3 with squeeze-and-excite, in either arithmetic', async () => {
    const random = createRandom(4)
    const model = mobileBlock(0.6)
    await compare(model, { arithmetic: 'f32' }, random)
    const { kernels } = await compare(withRanges(model), { arithmetic: 'int' }, random)
    for (const kernel of ['byte-lists', 'map', 'broadcast'])
      assert.ok(kernels.includes(kernel), `${kernel} among ${kernels}`)
  })

  test('sums over any axes and products of computed matrices', async () => {
    const random = createRandom(5)
    const m = new ModelSketch()
    const x = m.input('x', [2, 3, 4, 5])
    const sums = m.node('ReduceMean', [x], { axes: [0, 2], keepDims: false })
    const squares = m.node('MatMul', [x, m.node('Transpose', [x], { perm: [0, 1, 3, 2] })], {})
    const transposed = { alpha: 0.5, beta: 1, transA: true, transB: true }
    const turned = m.node('Transpose', [sums], { perm: [1, 0] })
    const gemm = m.node('Gemm', [sums, turned, m.tensor(randomDense(random, [5]))], transposed)
    const { kernels } = await compare(m.model(squares, sums, gemm), { arithmetic: 'f32' }, random)
    assert.deepEqual(kernels, ['fold', 'copy', 'product', 'copy', 'product'])
  })

  test('at every share of zeros: with sums of neighbours, of long filters in parts', async () => {
    const random = createRandom(3)
    for (const zeros of [0, 0.3, 0.64, 0.9, 0.99]) {
      for (const model of [resnet20(zeros), lenet5(zeros)]) {
        await compare(model, { arithmetic: 'f32' }, random)
        await compare(withRanges(model), { arithmetic: 'int' }, random)
      }
    }
  })
})

test('batches of a compiled network run on threads, to the same bits', async () => {
  const { bytes } = await exportWasm(withRanges(resnet20(0.8)))
  const images = randomArray(createRandom(4), 9 * 3072)
  const alone = await loadCompiled(bytes)
  assert.deepEqual([alone.threads, alone.threadsReason], [1, 'asked for'])
  const expected = alone.run(images)
  assert.deepEqual(await alone.runBatch(images), expected)
  const session = await loadCompiled(bytes, { threads: 2 })
  try {
    assert.equal(session.threads, 2)
    for (let round = 0; round < 2; round++) assert.deepEqual(await session.runBatch(images), expected)
  } finally {
    session.close()
  }
  await assert.rejects(session.runBatch(images), /closed/)
  await assert.rejects(loadCompiled(bytes, { threads: 0 }), { code: 'usage/option' })
})

test('a network of millions of calls is refused', async () => {
  const m = new ModelSketch()
  let x = m.input('x', [1, 1, 8192, 1024])
  const weight = m.tensor(randomTernary(createRandom(1), [1, 1, 3, 3], 0.5))
  for (let i = 0; i < 12; i++) x = m.node('Conv', [x, weight], convAttributes(1, 1))
  await assert.rejects(exportWasm(m.model(x)), { code: 'file/limit' })
})

test('weights stay coded in a compiled network', async () => {
  const { bytes, parts } = await exportWasm(withRanges(resnet20(0.64)))
  assert.ok(parts.levels < 46_000, `${parts.levels} bytes of levels`)
  assert.equal(parts.levels + parts.data + parts.code, bytes.length)
  assert.ok(parts.data + parts.code < 55_000, `${parts.data} + ${parts.code}`)
})

describe('what is no compiled network is refused with its reason:', () => {
  const refuses = async (source, code, message) =>
    assert.rejects(loadCompiled(source), error => {
      assert.ok(error instanceof SternaError, `${error}`)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      return true
    })
  const moduleWith = note => {
    const section = [6, ...new TextEncoder().encode(`sterna${note}`)]
    const size = [(section.length & 0x7f) | 0x80, section.length >> 7]
    return new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...(note === undefined ? [] : [0, ...size, ...section]),
    ])
  }

  test('no bytes, other bytes, another module', async () => {
    await refuses('digits.wasm', 'usage/input', /bytes of a WebAssembly module/)
    await refuses(new Uint8Array(8), 'file/bad-magic', /not a WebAssembly module/)
    await refuses(moduleWith(undefined), 'file/bad-magic', /not written by `sterna export`/)
  })

  test('a cut one, and one that describes itself wrongly', async () => {
    const { bytes } = await exportWasm(lenet5(0.9))
    await refuses(bytes.subarray(0, bytes.length >> 1), 'engine/unavailable', /refuses to compile/)
    await refuses(moduleWith('{'), 'file/damaged', /not JSON/)
    await refuses(moduleWith('null'), 'file/unsupported', /version 1/)
    await refuses(moduleWith('{"version":2}'), 'file/unsupported', /found 2/)
    await refuses(moduleWith('{"version":1}'), 'file/damaged', /no inputs, outputs or metadata/)
    const list = '[{"name":"x","shape":[9],"address":4}]'
    await refuses(
      moduleWith(`{"version":1,"inputs":${list},"outputs":${list},"metadata":{}}`),
      'file/damaged',
      /among its exports/,
    )
  })

  test('it takes a module that was compiled before, and an ArrayBuffer', async () => {
    const { bytes } = await exportWasm(lenet5(0.9))
    const image = randomArray(createRandom(1), 784)
    const expected = (await loadCompiled(bytes)).run(image)
    assert.deepEqual((await loadCompiled(await WebAssembly.compile(bytes))).run(image), expected)
    assert.deepEqual((await loadCompiled(bytes.slice().buffer)).run(image), expected)
  })
})
