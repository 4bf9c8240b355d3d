/** Every way to run a model gives what the plain oracle gives: one suite for all kernels. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PackedModel, TernaryTensor } from '../file/types.ts'
import type { InferenceOperators } from '../operators.ts'
import { describeModel, loadModel } from '../session/index.ts'
import { runReference } from './reference/index.ts'
import {
  convAttributes,
  createRandom,
  gemmAttributes,
  lenet5,
  ModelSketch,
  mobileBlock,
  type Random,
  randomArray,
  randomDense,
  randomTernary,
  resnet20,
} from './testing/models.ts'

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Runs a model both ways, twice, and compares every output to 1e-5 of its largest number (or of 0.1). */
async function conforms(model: PackedModel, seed: number, label: string): Promise<readonly string[]> {
  const random = createRandom(seed)
  const inputs = model.inputs.map(({ name, shape }) => ({
    name,
    shape,
    data: randomArray(random, sizeOf(shape)),
  }))
  const expected = runReference(model, Object.fromEntries(inputs.map(input => [input.name, input])))
  const arrays = Object.fromEntries(inputs.map(({ name, data }) => [name, data]))
  let used: readonly string[] = []
  for (const kernels of ['auto', 'reference'] as const) {
    const session = await loadModel(model, { kernels })
    const first = session.run(arrays).outputs
    const second = session.run(arrays).outputs
    for (const [name, { shape, data }] of Object.entries(expected)) {
      const found = first[name]!
      assert.deepEqual([...found.shape], [...shape], `${label}: shape of ${name}`)
      const scale = data.reduce((max, value) => Math.max(max, Math.abs(value)), 0.1)
      for (let i = 0; i < data.length; i++) {
        const difference = Math.abs(found.data[i]! - data[i]!)
        assert.ok(
          difference <= 1e-5 * scale,
          `${label}, ${kernels}: ${name}[${i}] is ${found.data[i]}, expected ${data[i]} (largest ${scale})`,
        )
      }
      assert.deepEqual(second[name]!.data, found.data, `${label}, ${kernels}: the second run differs`)
    }
    if (kernels === 'auto') used = session.describe().layers.map(layer => layer.kernel)
  }
  assert.ok(!used.includes('reference'), `${label}: plain JavaScript computes one of ${used}`)
  return used
}

const oneOf = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!

interface ConvCase {
  readonly input: readonly [number, number, number]
  readonly filters: number
  readonly kernel: readonly [number, number]
  readonly attributes: InferenceOperators['Conv']
  readonly weight: 'dense' | number
  readonly magnitudes: 'one' | 'per filter'
  readonly equal: boolean
  readonly bias: boolean
  readonly after: 'nothing' | 'relu' | 'clip' | 'residual' | 'residual and relu'
}

function convModel(random: Random, c: ConvCase): PackedModel {
  const m = new ModelSketch()
  const x = m.input('x', [1, ...c.input])
  const shape = [c.filters, c.input[0] / c.attributes.groups, ...c.kernel]
  const weight =
    c.weight === 'dense'
      ? randomDense(random, shape)
      : randomTernary(random, shape, c.weight, {
          magnitudes: c.magnitudes === 'one' ? 1 : c.filters,
          equal: c.equal,
        })
  const operands = [x, m.tensor(weight), ...(c.bias ? [m.tensor(randomDense(random, [c.filters]))] : [])]
  let y = m.node('Conv', operands, c.attributes)
  if (c.after.startsWith('residual')) {
    // A second value of the same shape, so that the Add has something to fuse with.
    const other = m.node('Conv', [x, m.tensor(randomDense(random, shape))], c.attributes)
    y = m.node('Add', random() < 0.5 ? [y, other] : [other, y], {})
  }
  if (c.after.endsWith('relu')) y = m.node('Relu', [y], {})
  if (c.after === 'clip') y = m.node('Clip', [y], { min: -0.25, max: 0.5 })
  return m.model(y)
}

function randomConvCase(random: Random): ConvCase {
  const kernel = oneOf(random, [
    [1, 1],
    [3, 3],
    [5, 5],
    [1, 3],
    [4, 2],
  ] as const)
  const groups = oneOf(random, [1, 1, 2, 4])
  const dilations = oneOf(random, [
    [1, 1],
    [1, 1],
    [2, 1],
    [3, 2],
  ] as const)
  const pads = oneOf(random, [
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [2, 2, 2, 2],
    [0, 1, 2, 0],
  ] as const)
  const reach = [0, 1].map(i => (kernel[i]! - 1) * dilations[i]! + 1 - pads[i]! - pads[i + 2]!)
  const size = (least: number) => Math.max(1, least) + oneOf(random, [0, 0, 1, 2, 3, 5, 7, 11, 17, 32])
  return {
    input: [groups * oneOf(random, [1, 2, 3]), size(reach[0]!), size(reach[1]!)],
    filters: groups * oneOf(random, [1, 2, 5]),
    kernel,
    attributes: {
      strides: oneOf(random, [
        [1, 1],
        [1, 1],
        [2, 2],
        [3, 1],
        [1, 2],
      ] as const),
      dilations,
      pads,
      groups,
    },
    weight: oneOf(random, ['dense', 0, 0.5, 0.9, 1] as const),
    magnitudes: oneOf(random, ['one', 'per filter'] as const),
    equal: random() < 0.5,
    bias: random() < 0.5,
    after: oneOf(random, ['nothing', 'relu', 'clip', 'residual', 'residual and relu'] as const),
  }
}

describe('kernels give what the oracle gives', () => {
  test('for convolutions of every geometry and sparsity', async () => {
    const random = createRandom(11)
    const used = new Set<string>()
    for (let i = 0; i < 400; i++) {
      const conv = randomConvCase(random)
      for (const name of await conforms(convModel(random, conv), i, JSON.stringify(conv))) used.add(name)
    }
    for (const name of ['add-lists', 'gather-lists', 'dense-tiles', 'dense-rows']) {
      assert.ok(used.has(name), `no case used ${name}`)
    }
  })

  test('for a window of the map’s size with strides, which reads its inputs out of order', async () => {
    for (const kernel of [
      [4, 1],
      [1, 4],
      [5, 3],
    ] as const) {
      for (const strides of [
        [2, 1],
        [2, 2],
        [3, 2],
      ] as const) {
        const random = createRandom(6)
        const m = new ModelSketch()
        const x = m.input('x', [1, 9, ...kernel])
        const weight = m.tensor(randomTernary(random, [18, 9, ...kernel], 0.3))
        const y = m.node('Conv', [x, weight], { ...convAttributes(), strides })
        await conforms(m.model(y), 1, `${kernel}, strides ${strides}`)
      }
    }
  })

  test('for filters without any, without positive and without negative weights', async () => {
    for (const equal of [true, false]) {
      for (const size of [1, 3, 8]) {
        const random = createRandom(size)
        const weight = randomTernary(random, [4, 2, 3, 3], 0.5, { magnitudes: 4, equal })
        const assignment = weight.assignment.slice()
        assignment.fill(0, 0, 18)
        for (let k = 18; k < 36; k++) assignment[k] = Math.abs(assignment[k]!)
        for (let k = 36; k < 54; k++) assignment[k] = -Math.abs(assignment[k]!)
        const m = new ModelSketch()
        const x = m.input('x', [1, 2, size, size])
        const tensor: TernaryTensor = { ...weight, assignment }
        const y = m.node('Conv', [x, m.tensor(tensor)], convAttributes(1, 1))
        await conforms(m.model(y), size, `size ${size}, equal ${equal}`)
      }
    }
  })

  test('for convolutions that add neighbouring inputs beforehand, in groups as well', async () => {
    for (const [groups, equal] of [
      [1, false],
      [2, true],
      [2, false],
    ] as const) {
      const random = createRandom(6)
      const m = new ModelSketch()
      const weight = m.tensor(randomTernary(random, [32, 16 / groups, 3, 3], 0.3, { equal }))
      const y = m.node('Conv', [m.input('x', [1, 16, 11, 13]), weight], convAttributes(1, 1, { groups }))
      const [layer] = (await describeModel(m.model(y))).layers
      assert.match(layer!.reason, /without sums of neighbours/)
      await conforms(m.model(y), groups, `${groups} groups, equal ${equal}`)
    }
  })

  test('when one magnitude is zero or far smaller than the other', async () => {
    for (const [positive, negative] of [
      [0, 1],
      [1, 0],
      [0, 0],
      [1e-30, 1],
      [1, 1e-30],
      [1e-42, 1e30],
    ] as const) {
      const random = createRandom(5)
      const weight = {
        ...randomTernary(random, [3, 2, 3, 3], 0.3),
        positive: Float32Array.of(positive),
        negative: Float32Array.of(negative),
      }
      const m = new ModelSketch()
      const x = m.input('x', [1, 2, 6, 6])
      await conforms(
        m.model(m.node('Conv', [x, m.tensor(weight)], convAttributes(2, 1))),
        1,
        `${positive}, ${negative}`,
      )
    }
  })

  test('for fully connected layers of every sparsity, orientation and number of rows', async () => {
    const random = createRandom(13)
    const used = new Set<string>()
    for (let i = 0; i < 150; i++) {
      const rows = oneOf(random, [1, 1, 1, 3])
      const inputs = oneOf(random, [1, 3, 17, 64, 130])
      const outputs = oneOf(random, [1, 4, 10, 33, 71])
      const transB = random() < 0.5
      const shape = transB ? [outputs, inputs] : [inputs, outputs]
      const magnitudes = random() < 0.5 ? 1 : shape[0]!
      const zeros = oneOf(random, [0, 0.5, 0.9, 0.97, 1])
      const weight =
        random() < 0.2
          ? randomDense(random, shape)
          : randomTernary(random, shape, zeros, { magnitudes, equal: random() < 0.3 })
      const m = new ModelSketch()
      const x = m.input('x', [rows, inputs])
      const bias = oneOf(random, [undefined, [outputs], [1, outputs], [1], [rows, 1]])
      const operands = [x, m.tensor(weight), ...(bias ? [m.tensor(randomDense(random, bias))] : [])]
      let y = m.node('Gemm', operands, {
        alpha: oneOf(random, [1, -0.5]),
        beta: oneOf(random, [1, 2]),
        transA: false,
        transB,
      })
      if (random() < 0.3) y = m.node('Add', [y, m.input('other', [rows, outputs])], {})
      if (random() < 0.5) y = m.node('Relu', [y], {})
      const label = JSON.stringify({ rows, inputs, outputs, transB, zeros, magnitudes, bias })
      for (const name of await conforms(m.model(y), i, label)) used.add(name)
    }
    for (const name of ['gather-lists', 'dense-rows', 'product'])
      assert.ok(used.has(name), `no case used ${name}`)
  })

  test('for MatMul with stored and with computed matrices', async () => {
    const random = createRandom(17)
    const m = new ModelSketch()
    const a = m.input('a', [1, 2, 5, 8])
    const b = m.input('b', [2, 8, 3])
    const stored = m.node('MatMul', [a, m.tensor(randomTernary(random, [8, 6], 0.9))], {})
    await conforms(m.model(stored, m.node('MatMul', [a, b], {})), 3, 'MatMul')
  })

  test('for pooling of every geometry', async () => {
    const random = createRandom(19)
    for (let i = 0; i < 120; i++) {
      const kernel = oneOf(random, [
        [2, 2],
        [3, 3],
        [1, 4],
        [3, 2],
      ] as const)
      const strides = oneOf(random, [
        [1, 1],
        [2, 2],
        [3, 2],
      ] as const)
      const pads = oneOf(random, [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 1],
        [0, 0, 0, 1],
      ] as const)
      const m = new ModelSketch()
      const x = m.input('x', [
        1,
        3,
        kernel[0] + Math.floor(random() * 9),
        kernel[1] + Math.floor(random() * 9),
      ])
      const attributes = { kernel, strides, pads }
      const max = pads.some((pad, side) => pad >= kernel[side % 2]!)
        ? m.node('Relu', [x], {})
        : m.node('MaxPool', [m.node('Sub', [x, m.input('y', [1, 1, 1, 1])], {})], attributes)
      const outputs = [max]
      if (kernel[1] > 1 && pads.every(pad => pad < 1 || kernel[1] > 1)) {
        outputs.push(m.node('AveragePool', [x], { ...attributes, countIncludePad: random() < 0.5 }))
      }
      await conforms(m.model(...outputs), i, JSON.stringify(attributes))
    }
  })

  test('for max pooling of 2 × 2 neighbours, where some are no numbers', async () => {
    for (const [height, width] of [
      [2, 8],
      [7, 9],
      [6, 30],
      [4, 257],
      [5, 260],
    ] as const) {
      const m = new ModelSketch()
      const x = m.input('x', [1, 3, height, width])
      const pool = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0] } as const
      const model = m.model(m.node('MaxPool', [x], pool))
      const kernel = width < 258 ? 'pool-pairs' : 'pool-tiles'
      assert.deepEqual(await conforms(model, width, `${height} × ${width}`), [kernel])
      const numbers = randomArray(createRandom(width), 3 * height * width)
      for (let i = 0; i < numbers.length; i += 3) numbers[i] = i % 2 === 0 ? NaN : -Infinity
      numbers.fill(NaN, 0, 2 * width)
      const [fast, plain] = await Promise.all([loadModel(model), loadModel(model, { kernels: 'reference' })])
      assert.deepEqual(fast.run(numbers).output, plain.run(numbers).output)
    }
  })

  test('for reductions over any axes', async () => {
    const axesLists = [[2, 3], [3], [1], [0, 1, 2, 3], [-1, -2], [1, 3]]
    for (const keepDims of [true, false]) {
      for (const axes of axesLists) {
        const m = new ModelSketch()
        const x = m.input('x', [1, 5, 7, 3])
        const outputs = [
          m.node('ReduceMean', [x], { axes, keepDims }),
          m.node('ReduceSum', [x], { axes, keepDims }),
        ]
        await conforms(m.model(...outputs, m.node('GlobalAveragePool', [x], {})), 1, `${axes} ${keepDims}`)
      }
    }
  })

  test('for operators that move numbers', async () => {
    const m = new ModelSketch()
    const x = m.input('x', [1, 6, 5, 9])
    const outputs = [
      ...[
        [0, 1, 2, 3],
        [0, 2, 3, 1],
        [3, 2, 1, 0],
        [1, 0, 3, 2],
      ].map(perm => m.node('Transpose', [x], { perm })),
      m.node('Slice', [x], { starts: [0, 1], ends: [99, -1], axes: [-1, 2], steps: [2, 1] }),
      m.node('Slice', [x], { starts: [-3], ends: [2 ** 53 - 1], axes: [3], steps: [3] }),
      m.node('Pad', [x], { pads: [0, 1, 0, 2, 0, 3, 1, 0], value: 0.5 }),
      m.node('Concat', [x, x, m.node('Relu', [x], {})], { axis: 1 }),
      m.node('Concat', [x, m.node('Slice', [x], { starts: [4], ends: [5], axes: [3], steps: [1] })], {
        axis: -1,
      }),
      m.node('Unsqueeze', [m.node('Squeeze', [x], { axes: [0] })], { axes: [1, -1] }),
      m.node('Reshape', [x], { shape: [0, -1, 27] }),
      m.node('Dropout', [x], { ratio: 0.5 }),
    ]
    const y = m.node('Unsqueeze', [x], { axes: [2, 4] })
    outputs.push(m.node('Transpose', [y], { perm: [5, 1, 4, 3, 2, 0] }))
    const six = m.node('Reshape', [x], { shape: [2, 3, 5, 3, 3, 1] })
    outputs.push(m.node('Transpose', [six], { perm: [3, 1, 5, 2, 0, 4] }))
    await conforms(m.model(...outputs), 1, 'movement')
  })

  test('for elementwise operators, with and without broadcasting', async () => {
    const random = createRandom(23)
    const m = new ModelSketch()
    const x = m.input('x', [1, 6, 5, 7])
    const same = m.input('same', [1, 6, 5, 7])
    const channel = m.input('channel', [6, 1, 1])
    const stored = m.tensor(randomDense(random, [1, 7]))
    const outputs = (['Add', 'Sub', 'Mul', 'Div'] as const).flatMap(op =>
      [same, channel, stored].map(other =>
        m.node(op, [x, op === 'Div' ? m.node('Sigmoid', [other], {}) : other], {}),
      ),
    )
    outputs.push(m.node('Mul', [channel, x], {}))
    for (const op of ['Relu', 'Sigmoid', 'Tanh', 'HardSwish', 'Identity'] as const)
      outputs.push(m.node(op, [x], {}))
    outputs.push(m.node('Clip', [x], { min: -Infinity, max: 0.5 }))
    outputs.push(m.node('HardSigmoid', [x], { alpha: 0.2, beta: 0.5 }))
    for (const axis of [1, -1]) {
      outputs.push(m.node('Softmax', [x], { axis }), m.node('LogSoftmax', [x], { axis }))
    }
    const variance = { ...randomDense(random, [6]), data: Float32Array.of(1, 2, 3, 4, 5, 6) }
    const vectors = [0, 1, 2].map(() => m.tensor(randomDense(random, [6])))
    outputs.push(
      m.node('BatchNormalization', [x, ...vectors, m.tensor(variance as never)], {
        epsilon: 1e-5,
        momentum: 0.9,
      }),
    )
    await conforms(m.model(...outputs), 1, 'elementwise')
  })

  test('for whole networks', async () => {
    assert.deepEqual(await conforms(lenet5(0.95), 7, 'LeNet-5'), [
      'dense-tiles',
      'pool-pairs',
      'add-lists',
      'pool-pairs',
      'alias',
      'gather-lists',
      'dense-rows',
    ])
    const used = await conforms(resnet20(0.64), 7, 'ResNet-20')
    assert.equal(used.filter(name => name === 'add-lists').length, 18)
    assert.deepEqual(await conforms(mobileBlock(0.9), 7, 'a block of MobileNetV3'), [
      'add-lists',
      'map',
      'dense-tiles',
      'map',
      'row-sums',
      'dense-rows',
      'dense-rows',
      'map',
      'broadcast',
      'add-lists',
    ])
  })

  test('when a model returns its input, an alias of it, a stored tensor and an intermediate value', async () => {
    const random = createRandom(29)
    const m = new ModelSketch()
    const x = m.input('x', [1, 8])
    const flat = m.node('Identity', [x], {})
    const weight = m.tensor(randomTernary(random, [8, 8], 0.9))
    const hidden = m.node('Gemm', [flat, weight], gemmAttributes)
    await conforms(m.model(x, flat, weight, hidden, m.node('Relu', [hidden], {})), 1, 'outputs')
  })
})
