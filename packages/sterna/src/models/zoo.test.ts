import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { sizeOf, type Tensor } from '../core/index.ts'
import type { Model } from '../graph/index.ts'
import { withBatchSize } from '../graph/index.ts'
import { zoo, zooEntry } from './zoo.ts'

const isStatistic = (name: string) => /running_(mean|var)$/.test(name)

/** Numbers that training changes by gradient. */
function learned(model: Model, which: (name: string) => boolean = () => true): number {
  return model.graph.parameters
    .filter(({ name }) => !isStatistic(name) && which(name))
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0)
}

const isBatchNorm = (name: string) => /(^|\.)bn\d/.test(name)

describe('the zoo', () => {
  it('has the published numbers of parameters', () => {
    const counts = (name: string, of: (parameter: string) => boolean) =>
      learned(zooEntry(name).create(10, 1), of)
    // Weights and biases; batch norm has another 2 (32 + 64 + 512).
    assert.equal(
      counts('lenet5', name => !isBatchNorm(name)),
      582_026,
    )
    assert.equal(counts('lenet5', isBatchNorm), 1216)
    assert.equal(
      counts('lenet5-classic', () => true),
      61_706,
    )
    // With the scales and shifts of batch norm; the convolutions between the first and the last layer.
    assert.equal(
      counts('resnet20', () => true),
      269_722,
    )
    assert.equal(
      counts('resnet20', name => /^layer.*conv\d\.weight$/.test(name)),
      267_264,
    )
    assert.equal(
      counts('resnet56', () => true),
      853_018,
    )
    // Weights only, as in the paper's table of layers.
    const isWeight = (name: string) => /(conv|fc)\d\.weight$/.test(name)
    assert.equal(counts('vgg7', isWeight), 12_973_440)
    assert.equal(
      counts('vgg7', name => isWeight(name) && name.startsWith('conv')),
      3_456 + 147_456 + 294_912 + 589_824 + 1_179_648 + 2_359_296,
    )
  })

  it('has the published numbers of parameters of both ResNet-18, with 1000 classes', () => {
    for (const [name, stem, blocks, shortcuts, last] of [
      ['resnet18', 9_408, 10_985_472, 172_032, 513_000],
      ['resnet18b', 14_112, 24_717_312, 387_072, 769_000],
    ] as const) {
      const model = zooEntry(name).create(1000, 1)
      const count = (pattern: RegExp) => learned(model, parameter => pattern.test(parameter))
      assert.equal(count(/^conv1/), stem, name)
      assert.equal(count(/^layer.*conv\d/), blocks, name)
      assert.equal(count(/downsample\.0/), shortcuts, name)
      assert.equal(count(/^fc/), last, name)
      // torchvision's ResNet-18 has 11,689,512 in all.
      if (name === 'resnet18') assert.equal(learned(model), 11_689_512)
    }
  })

  for (const { name, create, imageShape } of zoo) {
    it(`${name} maps its images to classes at any batch size and starts from finite numbers`, () => {
      for (const classes of [2, 100]) {
        const { graph, parameters } = create(classes, 1)
        assert.deepEqual(
          graph.inputs.map(input => input.shape),
          [[1, ...imageShape]],
        )
        const batched = withBatchSize(graph, 7)
        assert.deepEqual(batched.values.get(batched.outputs[0]!)!.shape, [7, classes])
        assert.deepEqual(
          [...parameters.keys()],
          graph.parameters.map(parameter => parameter.name),
        )
        for (const { name: parameter, shape } of graph.parameters) {
          const value = parameters.get(parameter)!
          assert.deepEqual(value.shape, shape, parameter)
          assert.ok((value.data as Float32Array).every(Number.isFinite), parameter)
        }
      }
    })
  }

  it('draws weights from the seed alone, each with its own numbers', () => {
    const { create } = zooEntry('lenet5')
    assert.deepEqual(create(10, 3).parameters, create(10, 3).parameters)
    const [one, two] = [create(10, 3).parameters, create(10, 4).parameters]
    assert.notDeepEqual(one.get('fc1.weight'), two.get('fc1.weight'))
    // Another number of classes changes the last layer only.
    assert.deepEqual(create(5, 3).parameters.get('fc1.weight'), one.get('fc1.weight'))
    const { parameters } = zooEntry('resnet20').create(10, 3)
    assert.notDeepEqual(parameters.get('layer1.0.conv1.weight'), parameters.get('layer1.0.conv2.weight'))
  })

  it('names the nearest networks when asked for one it does not have', () => {
    assert.throws(() => zooEntry('lenet-5'), { code: 'model/unknown', hint: /did you mean lenet5/ })
  })
})

function variance(value: Tensor): number {
  const data = value.data as Float32Array
  return data.reduce((sum, x) => sum + x * x, 0) / data.length
}

test('fresh weights have the variance of their initialisation, 1/fan-in or 2/fan-in', () => {
  const xavier = zooEntry('lenet5').create(10, 1).parameters.get('fc1.weight')!
  assert.ok(Math.abs(variance(xavier) * 1024 - 1) < 0.01)
  const bound = Math.sqrt(3 / 1024)
  assert.ok((xavier.data as Float32Array).every(x => Math.abs(x) <= bound))
  const kaiming = zooEntry('resnet20').create(10, 1).parameters.get('layer3.1.conv1.weight')!
  assert.ok(Math.abs((variance(kaiming) * 576) / 2 - 1) < 0.03)
})

test('biases start at zero, batch norm as the identity', () => {
  for (const [name, { data }] of zooEntry('lenet5').create(10, 1).parameters) {
    if (/(fc|conv)\d\.weight$/.test(name)) continue
    const expected = /(bn\d\.weight|running_var)$/.test(name) ? 1 : 0
    assert.ok(
      (data as Float32Array).every(x => x === expected),
      name,
    )
  }
})
