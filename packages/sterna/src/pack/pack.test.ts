import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { type PackedModel, readSterna, type TernaryTensor } from 'sterna-runtime'
import { runReference } from 'sterna-runtime/reference'
import { f32, Random, SternaError, sizeOf, type Tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { readSafetensors } from '../formats/index.ts'
import { GraphBuilder, type Model, withBatchSize } from '../graph/index.ts'
import { importWeights, lenet5, resnetCifar } from '../models/index.ts'
import { denseWeight } from '../ternary/index.ts'
import type { TernaryWeight } from '../ternary/types.ts'
import { detectTernary, packModel, packToFit, toModel } from './index.ts'

const repository = path.resolve(import.meta.dirname, '../../../..')
const shared = process.env.STERNA_SHARED ?? path.resolve(repository, '../shared')
const ec2tFile = path.join(shared, 'weights/resnet20_ec2t_spars64.safetensors')

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

test('LeNet-5 with 95 % zeros takes at most 35 KB and 1/65 of its float32 size, in f16 and in i8', () => {
  const { model, ternary } = sparseLenet(0.95)
  for (const dense of ['f16', 'i8'] as const) {
    const { bytes, report } = packModel(model, ternary, { dense, metadata: {} })
    assert.ok(bytes.length <= 35_000, `${bytes.length} bytes`)
    assert.ok(report.ratio > 65)
    assert.equal(report.bytes, bytes.length)
  }
})

test('the report adds up: bytes to the file, levels to the weights', () => {
  const { model, ternary } = sparseLenet(0.8)
  const { report, account } = packModel(model, ternary, { dense: 'i8', metadata: { classes: ['0'] } })
  const layerBytes = report.layers.reduce((sum, layer) => sum + layer.bytes + layer.biasBytes, 0)
  assert.equal(report.overheadBytes + layerBytes, account.totalBytes)
  assert.ok(report.overheadBytes < 400, `${report.overheadBytes} bytes`)
  assert.deepEqual(
    report.layers.map(layer => layer.method),
    ['ternary', 'ternary', 'ternary', 'dense'],
  )
  for (const layer of report.layers) {
    assert.equal(layer.weights, sizeOf(layer.shape))
    assert.equal(layer.zeros + layer.positive + layer.negative, layer.weights)
  }
  // −0.8 log2 0.8 − 2 × 0.1 log2 0.1, the fully connected layer being large enough to come close
  assert.ok(Math.abs(report.layers[2]!.entropyBitsPerWeight! - 0.9219) < 0.01)
})

test('the packed network computes what the unpacked one does, up to 16-bit side data', async () => {
  for (const [perFilter, dense] of [
    [false, 'f16'],
    [true, 'f16'],
    [false, 'i8'],
  ] as const) {
    const { model, ternary } = sparseLenet(0.7, perFilter)
    const { packed } = packModel(model, ternary, { dense, metadata: {} })
    const parameters = new Map(model.parameters)
    for (const [name, weight] of ternary) parameters.set(name, denseWeight(weight))
    const x = images(4, [1, 28, 28])
    const expected = await run({ graph: withBatchSize(model.graph, 4), parameters }, x)
    const found = await run(toModel(packed, 4), x)
    assert.ok(
      relativeError(found, expected) < (dense === 'f16' ? 3e-3 : 3e-2),
      `${relativeError(found, expected)}`,
    )
  }
})

test('sorted channels are kept where the file becomes smaller, and compute the same', async () => {
  for (const perFilter of [false, true]) {
    const { model, ternary } = sparseLenet(filter => [0.98, 0.8, 0.6][filter % 3]!, perFilter)
    const options = { dense: 'f16', metadata: {} } as const
    const given = packModel(model, ternary, options)
    const sorted = packModel(model, ternary, { ...options, sortChannels: true })
    assert.ok(sorted.bytes.length < given.bytes.length, `${sorted.bytes.length} of ${given.bytes.length}`)
    const x = images(4, [1, 28, 28])
    const error = relativeError(
      await run(toModel(sorted.packed, 4), x),
      await run(toModel(given.packed, 4), x),
    )
    assert.ok(error < 1e-5, `${error}`)
    assert.deepEqual(packModel(model, ternary, { ...options, sortChannels: true }).bytes, sorted.bytes)
  }
})

test('packing to fit takes the first storage that fits and names the smallest size where none does', () => {
  const { model, ternary } = sparseLenet(0.9)
  const fit = (targetBytes: number) => packToFit(model, ternary, { metadata: {} }, targetBytes)
  const small = packModel(model, ternary, { dense: 'f16', metadata: {} }).bytes.length
  const exact = fit(small)
  assert.deepEqual([exact.dense, exact.profile, exact.sortChannels], ['f16', 'small', false])
  assert.equal(exact.bytes.length, small)
  const tight = fit(small - 1000)
  assert.equal(tight.dense, 'i8')
  assert.ok(tight.bytes.length <= small - 1000)
  assert.throws(
    () => fit(1000),
    (error: unknown) =>
      error instanceof SternaError &&
      error.code === 'usage/option' &&
      /does not fit 1000 bytes: the smallest that it packs to is \d+ bytes/.test(error.message),
  )
})

test('the runtime and the engine agree on what the file says', async () => {
  const { model, ternary } = sparseLenet(0.7)
  const { packed } = packModel(model, ternary, { dense: 'i8', metadata: {} })
  const x = images(3, [1, 28, 28])
  const [output] = Object.values(runReference(packed, { [packed.inputs[0]!.name]: x }))
  assert.ok(relativeError(output!.data, await run(toModel(packed, 3), x)) < 1e-5)
})

test('a packed model is what reading its bytes gives, and packing twice gives the same bytes', () => {
  const { model, ternary } = sparseLenet(0.9)
  const options = { dense: 'i8', metadata: { normalization: { mean: [0.1307], std: [0.3081] } } } as const
  const { bytes, packed } = packModel(model, ternary, options)
  assert.deepEqual(readSterna(bytes).model, packed)
  assert.deepEqual(packModel(model, ternary, options).bytes, bytes)
  assert.deepEqual(packed.metadata, options.metadata)
})

test('the batch size a network was built for does not matter', () => {
  const { model, ternary } = sparseLenet(0.9)
  const options = { dense: 'f16', metadata: {} } as const
  const { bytes } = packModel({ ...model, graph: withBatchSize(model.graph, 50) }, ternary, options)
  assert.deepEqual(bytes, packModel(model, ternary, options).bytes)
})

test('a batch size spelled out in a Reshape is replaced by the input’s', () => {
  const b = new GraphBuilder()
  const x = b.input('x', [8, 2, 3, 3])
  const weight = b.parameter('w', [4, 18])
  const flat = b.reshape(x, [8, 18])
  const output = b.op('Gemm', [flat, weight], { alpha: 1, beta: 1, transA: false, transB: true })
  const parameters = new Map([
    [
      'w',
      f32(
        [4, 18],
        Float32Array.from({ length: 72 }, (_, index) => index),
      ),
    ],
  ])
  const { packed } = packModel({ graph: b.build([output]), parameters }, new Map(), {
    dense: 'f16',
    metadata: {},
  })
  assert.deepEqual(packed.inputs[0]!.shape, [1, 2, 3, 3])
  assert.deepEqual(toModel(packed, 5).graph.values.get(packed.outputs[0]!)!.shape, [5, 4])
})

test('filters that batch norm turns negative turn their signs, and their magnitudes change places', () => {
  const { packed } = packModel(
    convWithNorm([2, -3]),
    ternaryOf([2, 1, 1, 2], [1, -1, 1, -1], [0.5], [0.25]),
    {
      dense: 'f16',
      metadata: {},
    },
  )
  const weight = ternaryTensor(packed)
  assert.deepEqual([...weight.assignment], [1, -1, -1, 1])
  assert.deepEqual([...weight.positive], [1, 0.75])
  assert.deepEqual([...weight.negative], [0.5, 1.5])
})

test('magnitudes take two numbers a layer, and one or two more a filter only where they differ', () => {
  const bytesOf = (model: Model, positive: number[], negative: number[]) => {
    const ternary = ternaryOf([2, 1, 1, 2], [1, -1, 0, -1], positive, negative)
    const { report } = packModel(model, ternary, { dense: 'f16', metadata: {} })
    return report.layers[0]!.bytes - 2
  }
  assert.equal(bytesOf(convWithNorm(), [0.5], [0.25]), 1 + 4)
  assert.equal(bytesOf(convWithNorm([2, 3]), [0.5], [0.25]), 1 + 4 + 2 * 2)
  assert.equal(bytesOf(convWithNorm([2, 3]), [0.5, 0.7], [0.5, 0.7]), 1 + 4 + 2 * 2)
  assert.equal(bytesOf(convWithNorm([2, 3]), [0.5, 0.7], [0.5, 0.6]), 1 + 2 * 4)
})

test('magnitudes far from 1 keep their digits', () => {
  for (const [magnitude, scale] of [
    [1e-6, 3],
    [3e-3, 2e-3],
    [700, 900],
    [0.1, 1e-4],
  ] as const) {
    const ternary = ternaryOf([2, 1, 1, 2], [1, -1, 0, -1], [magnitude], [magnitude / 3])
    const weight = ternaryTensor(
      packModel(convWithNorm([scale, scale / 7]), ternary, { dense: 'f16', metadata: {} }).packed,
    )
    const expected = [magnitude * scale, (magnitude * scale) / 7]
    weight.positive.forEach((value, filter) => {
      assert.ok(
        Math.abs(value / expected[filter]! - 1) < 1e-3,
        `${magnitude} × ${scale}: ${value}, not ${expected[filter]}`,
      )
    })
  }
})

test('three values make a tensor ternary, four do not', () => {
  const of = (...values: number[]) => detectTernary(f32([values.length], values))
  assert.deepEqual(of(0.5, 0, -0.25, 0.5), {
    shape: [4],
    assignment: Int8Array.of(1, 0, -1, 1),
    positive: Float32Array.of(0.5),
    negative: Float32Array.of(0.25),
  })
  assert.deepEqual(of(-2, -0, -2)?.assignment, Int8Array.of(-1, 0, -1))
  assert.deepEqual(of(0, 0)?.positive, Float32Array.of(0))
  assert.equal(of(0.5, 0, -0.25, 0.4), undefined)
  assert.equal(of(0.5, Number.NaN), undefined)
})

test('weights of another network are refused by name', () => {
  const model = convWithNorm()
  const wrong = ternaryOf([2, 1, 1, 1], [1, 1], [1], [1])
  assert.throws(
    () => packModel(model, wrong, { dense: 'f16', metadata: {} }),
    (error: unknown) =>
      error instanceof SternaError && error.code === 'model/mapping' && /"w"/.test(error.message),
  )
})

test('an operator that only training knows is refused by name', () => {
  const b = new GraphBuilder()
  const model = { graph: b.build([b.neg(b.input('x', [1, 2]))]), parameters: new Map() }
  assert.throws(
    () => packModel(model, new Map(), { dense: 'f16', metadata: {} }),
    (error: unknown) =>
      error instanceof SternaError && error.code === 'graph/unknown-operator' && /Neg/.test(error.message),
  )
})

test('the published EC2T ResNet-20: 18 layers are recognised as ternary, 43 KB, same outputs', {
  skip: existsSync(ec2tFile) ? false : `no ${path.basename(ec2tFile)} in the shared weights`,
}, async () => {
  const { tensors } = readSafetensors(readFileSync(ec2tFile))
  const { model } = importWeights(resnetCifar(3, 10, 1), tensors)
  const { bytes, packed, report } = packModel(model, new Map(), { dense: 'f16', metadata: {} })
  assert.equal(report.layers.filter(layer => layer.method === 'ternary').length, 18)
  assert.ok(bytes.length <= 43_000, `${bytes.length} bytes`)
  const x = images(4, [3, 32, 32])
  const expected = await run({ graph: withBatchSize(model.graph, 4), parameters: model.parameters }, x)
  const error = relativeError(await run(toModel(packed, 4), x), expected)
  assert.ok(error < 1e-2, `${error}`)
})

/** LeNet-5 32-64-512 with batch norm as if trained, and all but its last layer ternary; `zeros` may vary by filter. */
function sparseLenet(
  zeros: number | ((filter: number) => number),
  perFilter = false,
): { model: Model; ternary: Map<string, TernaryWeight> } {
  const random = new Random(7)
  const base = lenet5(10, 1)
  const parameters = new Map<string, Tensor>()
  for (const [name, tensor] of base.parameters) {
    const around = name.endsWith('running_var') || /bn\d?\.weight$/.test(name) ? 1 : 0
    const spread = tensor.shape.length === 1 ? 0.2 : 0
    parameters.set(
      name,
      f32(
        tensor.shape,
        Float32Array.from(tensor.data as Float32Array, value =>
          spread === 0 ? value : around + spread * random.normal(),
        ),
      ),
    )
  }
  for (const [name, tensor] of parameters) {
    if (name.endsWith('running_var'))
      parameters.set(
        name,
        f32(
          tensor.shape,
          (tensor.data as Float32Array).map(v => Math.abs(v) + 0.1),
        ),
      )
  }
  const weights = [...base.parameters].filter(([, tensor]) => tensor.shape.length > 1)
  const ternary = new Map<string, TernaryWeight>()
  for (const [name, { shape }] of weights.slice(0, -1)) {
    const perFilterWeights = sizeOf(shape) / shape[0]!
    const zerosOf = (index: number) =>
      typeof zeros === 'number' ? zeros : zeros(Math.floor(index / perFilterWeights))
    const assignment = Int8Array.from({ length: sizeOf(shape) }, (_, index) =>
      random.uniform() < zerosOf(index) ? 0 : random.below(2) * 2 - 1,
    )
    const levels = (base: number) =>
      Float32Array.from({ length: perFilter ? shape[0]! : 1 }, () => base * (1 + random.uniform()))
    ternary.set(name, { shape, assignment, positive: levels(0.05), negative: levels(0.04) })
  }
  return { model: { graph: base.graph, parameters }, ternary }
}

/** x [1, 1, 1, 2] through two filters [2, 1, 1, 2]; `gamma` adds batch norm that scales by it. */
function convWithNorm(gamma?: readonly number[]): Model {
  const b = new GraphBuilder()
  const x = b.input('x', [1, 1, 1, 2])
  const parameters = new Map<string, Tensor>([['w', f32([2, 1, 1, 2], [0.1, 0.2, 0.3, 0.4])]])
  const attributes = { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 } as const
  let y = b.op('Conv', [x, b.parameter('w', [2, 1, 1, 2])], attributes)
  if (gamma !== undefined) {
    const epsilon = 1e-5
    const numbers = { gamma, beta: [1, 1], mean: [0, 0], variance: [1 - epsilon, 1 - epsilon] }
    const inputs = Object.entries(numbers).map(([name, values]) => {
      parameters.set(name, f32([2], [...values]))
      return b.parameter(name, [2])
    })
    y = b.op('BatchNormalization', [y, ...inputs], { epsilon, momentum: 0.9 })
  }
  return { graph: b.build([y]), parameters }
}

function ternaryOf(
  shape: readonly number[],
  assignment: readonly number[],
  positive: readonly number[],
  negative: readonly number[],
): Map<string, TernaryWeight> {
  const weight = {
    shape,
    assignment: Int8Array.from(assignment),
    positive: Float32Array.from(positive),
    negative: Float32Array.from(negative),
  }
  return new Map([['w', weight]])
}

function ternaryTensor(packed: PackedModel): TernaryTensor {
  for (const tensor of packed.tensors.values()) if (tensor.kind === 'ternary') return tensor
  throw new Error('no ternary tensor')
}

function images(count: number, shape: readonly number[]): Tensor<'f32'> {
  const random = new Random(11)
  return f32(
    [count, ...shape],
    Float32Array.from({ length: count * sizeOf(shape) }, () => random.normal()),
  )
}

async function run(model: Model, x: Tensor): Promise<Float32Array> {
  const executable = await engine.load({ graph: model.graph, state: new Map() })
  await executable.setState(model.parameters)
  const outputs = await executable.run({ [model.graph.inputs[0]!.name]: x })
  await executable.release()
  return Object.values(outputs)[0]!.data as Float32Array
}

/** The largest difference over the largest value. */
function relativeError(found: Float32Array, expected: Float32Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return expected.reduce((most, value, index) => Math.max(most, Math.abs(value - found[index]!)), 0) / largest
}
