import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, describe, it, test } from 'node:test'
import { f32, SternaError, type Tensor, tensor } from '../core/index.ts'
import { createEngine } from '../engine/index.node.ts'
import { f32ToF16Bits, readPytorch } from '../formats/index.ts'
import { withBatchSize } from '../graph/index.ts'
import { assertNear, generate } from '../graph/testing/pytorch.node.ts'
import { importWeights } from './import-weights.ts'
import { NetworkBuilder } from './network-builder.ts'
import { zooEntry } from './zoo.ts'

function network() {
  const net = new NetworkBuilder('small', 1, 'kaiming')
  const x = net.graph.input('input', [1, 4])
  return net.build(net.linear(net.relu(net.linear(x, 'fc1', 3), 'relu1'), 'fc2', 2))
}

const model = network()
const weights = new Map<string, Tensor>([
  [
    'fc1.weight',
    f32(
      [3, 4],
      Array.from({ length: 12 }, (_, i) => i),
    ),
  ],
  ['fc1.bias', f32([3], [20, 21, 22])],
  ['fc2.weight', f32([2, 3], [30, 31, 32, 33, 34, 35])],
  ['fc2.bias', f32([2], [40, 41])],
])
const renamed = (rename: (name: string, index: number) => string) =>
  new Map([...weights].map(([name, value], index) => [rename(name, index), value]))

function refuse(tensors: ReadonlyMap<string, Tensor>): SternaError {
  try {
    importWeights(model, tensors)
  } catch (error) {
    assert.ok(error instanceof SternaError, String(error))
    return error
  }
  return assert.fail('nothing was thrown')
}

describe('weights are imported', () => {
  it('by name, in any order, with a row for each tensor', () => {
    const { model: found, mapping } = importWeights(model, new Map([...weights].reverse()))
    assert.deepEqual(found.parameters, weights)
    assert.equal(found.graph, model.graph)
    assert.equal(mapping.by, 'name')
    assert.deepEqual(mapping.unused, [])
    assert.deepEqual(mapping.used[0], { from: 'fc1.weight', to: 'fc1.weight', shape: [3, 4] })
    assert.equal(mapping.used.length, 4)
  })

  it('by name behind the wrappers that frameworks add', () => {
    for (const wrapper of ['module.', 'model.', '_orig_mod.', 'net.', 'module._orig_mod.']) {
      const { model: found, mapping } = importWeights(
        model,
        renamed(name => wrapper + name),
      )
      assert.deepEqual(found.parameters, weights, wrapper)
      assert.equal(mapping.used[0]!.from, `${wrapper}fc1.weight`)
    }
  })

  it('by the exact name where a wrapped one offers itself too', () => {
    const averaged = ['module.fc1.bias', f32([3], [-1, -2, -3])] as const
    for (const tensors of [new Map([...weights, averaged]), new Map([averaged, ...weights])]) {
      const { model: found, mapping } = importWeights(model, tensors)
      assert.deepEqual(found.parameters, weights)
      assert.deepEqual(mapping.unused, ['module.fc1.bias'])
    }
  })

  it('by order where no name fits and all shapes do', () => {
    const { model: found, mapping } = importWeights(
      model,
      renamed((_, index) => `layer${index}`),
    )
    assert.deepEqual(found.parameters, weights)
    assert.equal(mapping.by, 'order')
    assert.deepEqual(mapping.used[2], { from: 'layer2', to: 'fc2.weight', shape: [2, 3] })
  })

  it('without counters, and with what is left over listed', () => {
    const counter = tensor('i64', [], BigInt64Array.of(7n))
    const extra = new Map([...weights, ['bn.num_batches_tracked', counter], ['teacher.weight', f32([1])]])
    assert.deepEqual(importWeights(model, extra).mapping.unused, ['teacher.weight'])
    const unnamed = new Map([['num_batches_tracked', counter], ...renamed((_, index) => `x${index}`)])
    assert.equal(importWeights(model, unnamed).mapping.by, 'order')
  })

  it('from double and half precision', () => {
    const bias = weights.get('fc2.bias')!.data as Float32Array
    const wide = new Map(weights).set('fc2.bias', tensor('f64', [2], Float64Array.from(bias)))
    const half = new Map(weights).set('fc2.bias', tensor('f16', [2], Uint16Array.from(bias, f32ToF16Bits)))
    for (const tensors of [wide, half])
      assert.deepEqual(importWeights(model, tensors).model.parameters, weights)
  })
})

describe('weights are refused', () => {
  it('when one is missing, with both sides in the message', () => {
    const tensors = new Map(weights)
    tensors.delete('fc2.bias')
    const error = refuse(tensors)
    assert.equal(error.code, 'model/mapping')
    assert.match(error.message, /do not fit small:\n {2}fc2\.bias \[2\]: not in the file/)
    assert.match(error.hint ?? '', /the file holds 3 tensors: fc1\.weight \[3,4\]/)
  })

  it('when a shape differs', () => {
    const error = refuse(new Map(weights).set('fc1.weight', f32([4, 3])))
    assert.match(error.message, /fc1\.weight: network has \[3,4\], file has \[4,3\]/)
    assert.deepEqual(error.detail.problems, ['fc1.weight: network has [3,4], file has [4,3]'])
  })

  it('when neither names nor order fit, with at most six rows of a long list', () => {
    const big = zooEntry('resnet20').create(10, 1)
    assert.throws(() => importWeights(big, weights), /not in the file\n {2}and \d+ more$/)
    assert.equal(refuse(renamed((_, index) => `${9 - index}`).set('x', f32([1]))).code, 'model/mapping')
    assert.equal(refuse(new Map()).code, 'model/mapping')
  })

  it('when a tensor holds whole numbers', () => {
    const error = refuse(new Map(weights).set('fc2.bias', tensor('i32', [2], Int32Array.of(1, 2))))
    assert.match(error.message, /"fc2\.bias": expected f32, found i32/)
  })
})

/**
 * Logits of two images of noise (seed 1 of the fixtures' generator), computed by PyTorch 1.13 in float64 from
 * the same files: the structure is right down to shortcuts and padding.
 */
const published = [
  {
    file: 'resnet20-12fca82f.th',
    network: 'resnet20',
    image: [3, 32, 32],
    logits: [
      [-6.82938, -4.49956, 7.73506, 2.87783, 3.55598, -5.56871, 10.5891, -4.75922, -2.52108, -0.557608],
      [-4.55144, -7.48286, 9.81608, 3.07312, 6.35032, -7.16782, 15.546, -10.2875, -2.59178, -2.67713],
    ],
  },
  {
    file: 'resnet20_ec2t_spars64.pt',
    network: 'resnet20',
    image: [3, 32, 32],
    logits: [
      [-10.1475, -4.13305, 9.08041, 1.97881, 3.99353, -3.49809, 9.03623, -6.37713, -1.57144, -0.140032],
      [-9.14377, -7.22201, 11.4717, 3.66947, 5.25933, -4.00848, 13.2914, -8.37342, -3.12307, -3.85604],
    ],
  },
  {
    file: 'ec2t_lenet5_fp.pt',
    network: 'lenet5-classic',
    image: [1, 28, 28],
    logits: [
      [
        0.082197, -0.410658, 2.31275, -0.0898276, -0.0214496, 0.10504, -0.458897, -0.241837, -0.550229,
        -0.729606,
      ],
      [
        0.611345, -0.652988, 0.291843, -0.602649, -0.607832, 1.33998, -0.0482452, -0.527179, 0.549148,
        -0.356126,
      ],
    ],
  },
] as const

const sharedFolder = process.env.STERNA_SHARED ?? path.resolve(import.meta.dirname, '../../../../../shared')
const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

for (const { file, network: name, image, logits } of published) {
  const source = path.join(sharedFolder, 'weights', file)
  const skip = !existsSync(source) && `weights/${file} is not here; STERNA_SHARED names its folder`
  test(`the published ${file} computes what PyTorch computes`, { skip }, async () => {
    const { tensors } = readPytorch(new Uint8Array(readFileSync(source)))
    const { model: imported, mapping } = importWeights(zooEntry(name).create(10, 1), tensors)
    assert.equal(mapping.by, 'name')
    assert.deepEqual(mapping.unused, [])
    const graph = withBatchSize(imported.graph, 2)
    const executable = await engine.load({ graph, state: new Map() })
    await executable.setState(imported.parameters)
    const input = generate({ shape: [2, ...image], seed: 1, scale: 1, offset: 0 })
    const found = (await executable.run({ input }))[graph.outputs[0]!]!.data as Float32Array
    // Six digits are stored, and float32 sums add a little of their own.
    assertNear(found, logits.flat(), 5e-6, file)
    await executable.release()
  })
}
