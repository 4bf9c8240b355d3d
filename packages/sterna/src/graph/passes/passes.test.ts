import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { f32, Random, type Shape, SternaError, sizeOf, type Tensor } from '../../core/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { GraphBuilder, type Model, type OperatorName, type Value } from '../index.ts'
import { dropIdentities, foldBatchNorm, removeDeadChannels, sortChannels, transposeWeights } from './index.ts'

const engine = await createEngine({ device: 'cpu', threads: 1 })
after(() => engine.close())

test('folding, dropping identities, dropping dead channels and sorting leave the outputs as they were', async () => {
  let removed = 0
  let sortedLayers = 0
  for (let seed = 0; seed < 60; seed++) {
    const model = randomNetwork(new Random(seed))
    const folded = foldBatchNorm(dropIdentities(model)).model
    const lean = removeDeadChannels(folded).model
    assert.ok(
      ![...lean.graph.nodes].some(({ op }) => ['BatchNormalization', 'Identity', 'Dropout'].includes(op)),
    )
    removed += elements(folded) - elements(lean)
    const inputs = randomInputs(model, new Random(seed + 1000))
    const expected = await run(model, inputs)
    assertClose(await run(folded, inputs), expected, 1e-5, `seed ${seed}, folded`)
    assertClose(await run(lean, inputs), expected, 1e-5, `seed ${seed}, without dead channels`)
    for (const by of ['filters', 'filters and readers'] as const) {
      const sorted = sortChannels(lean, by)
      sortedLayers += sorted.filters.size
      assertClose(await run(sorted.model, inputs), expected, 1e-5, `seed ${seed}, sorted by ${by}`)
    }
  }
  assert.ok(sortedLayers > 100, `layers with other filters: ${sortedLayers}`)
  assert.ok(removed > 10_000, `weights removed: ${removed}`)
})

test('a folded weight is the old one times the scale of its filter, signs included', () => {
  const n = new Network(new Random(3))
  const model = n.model(n.batchNorm(n.conv(n.input([1, 3, 5, 5]), 4, 3, 1, false)))
  const [name, old] = [...model.parameters].find(([, tensor]) => tensor.shape.length === 4)!
  const { model: folded, scales } = foldBatchNorm(model)
  const scale = scales.get(name)!
  const weight = folded.parameters.get(name)!
  assert.ok(scale.some(value => value < 0) && scale.some(value => value > 0))
  weight.data.forEach((value, index) => {
    const expected =
      (old.data[index] as number) * scale[Math.floor(index / (old.data.length / scale.length))]!
    assert.equal(value, Math.fround(expected))
  })
})

test('batch norm becomes Mul and Add where its layer has another reader or its weight is shared', async () => {
  const n = new Network(new Random(4))
  const x = n.input([2, 3, 5, 5])
  const both = n.conv(x, 4, 3, 1, true)
  const weight = n.parameter([3, 3, 1, 1])
  const tied = [n.convWith(x, weight, 0), n.batchNorm(n.convWith(x, weight, 0))]
  const model = n.model(n.b.add(n.batchNorm(both), both), n.b.add(tied[0]!, tied[1]!))
  const { model: folded, scales } = foldBatchNorm(model)
  assert.equal(scales.size, 0)
  assert.deepEqual(count(folded, 'Mul'), 2)
  const inputs = randomInputs(model, new Random(5))
  assertClose(await run(folded, inputs), await run(model, inputs), 1e-5, 'not folded')
})

test('a MatMul and a Gemm without transB become x · wᵀ, into which batch norm folds', async () => {
  const n = new Network(new Random(20))
  const x = n.input([3, 5])
  const product = n.b.relu(n.batchNorm(n.b.matMul(x, n.parameter([5, 4]))))
  const gemm = { alpha: 1, beta: 1, transA: false, transB: false }
  const model = n.model(n.batchNorm(n.b.op('Gemm', [product, n.parameter([4, 6]), n.parameter([6])], gemm)))
  const { model: folded, scales } = foldBatchNorm(transposeWeights(model, new Set()))
  assert.equal(scales.size, 2)
  assert.deepEqual(
    folded.graph.nodes.map(node => node.op),
    ['Gemm', 'Relu', 'Gemm'],
  )
  const inputs = randomInputs(model, new Random(21))
  assertClose(await run(folded, inputs), await run(model, inputs), 1e-5, 'folded')
  const [first] = model.parameters.keys()
  assert.equal(transposeWeights(model, new Set([first!])).graph.nodes[0]!.op, 'MatMul')
})

test('a negative variance is named as damage', () => {
  const n = new Network(new Random(6))
  const model = n.model(n.batchNorm(n.conv(n.input([1, 3, 5, 5]), 4, 3, 1, false)))
  const [name] = [...model.parameters.keys()].slice(-1)
  const damaged = { ...model, parameters: new Map(model.parameters).set(name!, f32([4], [1, -5, 1, 1])) }
  assert.throws(
    () => foldBatchNorm(damaged),
    (error: unknown) => error instanceof SternaError && /channel 1/.test(error.message),
  )
})

test('a filter without weights goes, and what it added moves into the next bias', async () => {
  for (const [pad, bias, left] of [
    [0, 2, 3], // a constant 2, no border: absorbed
    [1, 2, 4], // a constant 2 that the border does not have: stays
    [1, -2, 3], // 0 after Relu: nothing to absorb, border or not
  ] as const) {
    const n = new Network(new Random(7))
    const x = n.input([1, 3, 6, 6])
    const first = n.convWith(
      x,
      n.held([4, 3, 3, 3], (_, filter) => (filter === 1 ? 0 : 0.5)),
      1,
      n.held([4], () => bias),
    )
    const second = n.convWith(
      n.b.relu(first),
      n.held([5, 4, 3, 3], index => 0.1 + index / 100),
      pad,
    )
    const model = n.model(second)
    const { model: lean, filters } = removeDeadChannels(model)
    const shapes = [...lean.parameters.values()]
      .map(tensor => tensor.shape)
      .filter(shape => shape.length === 4)
    assert.deepEqual(shapes, [
      [left, 3, 3, 3],
      [5, left, 3, 3],
    ])
    assert.deepEqual([...filters.values()], left === 3 ? [[0, 2, 3]] : [])
    const inputs = randomInputs(model, new Random(8))
    assertClose(await run(lean, inputs), await run(model, inputs), 1e-5, `pad ${pad}, bias ${bias}`)
  }
})

test('channels with more weights come first, through flattening, and not a bit of the sums changes', async () => {
  const n = new Network(new Random(7))
  const x = n.input([1, 2, 4, 4])
  // Small whole numbers: every order of the sums gives the same float.
  const first = n.convWith(
    x,
    n.held([3, 2, 3, 3], (index, filter) => (index % 18 <= 3 * filter ? filter + 1 : 0)),
    0,
    n.held([3], index => index),
  )
  const flat = n.b.op('Flatten', [n.b.relu(first)], { axis: 1 })
  const weight = n.held([4, 12], index => (index % 12 >= 8 && index % 5 === 0 ? 0 : (index % 7) - 3))
  const y = n.b.op('Gemm', [flat, weight], { alpha: 1, beta: 1, transA: false, transB: true })
  const model = n.model(y)
  const { model: sorted, filters } = sortChannels(model, 'filters')
  assert.deepEqual([...filters.values()], [[2, 1, 0]])
  const pixels = Float32Array.from({ length: 32 }, (_, index) => (index % 9) - 4)
  const inputs = { [model.graph.inputs[0]!.name]: f32([1, 2, 4, 4], pixels) }
  assert.deepEqual(await run(sorted, inputs), await run(model, inputs))
  assert.equal(sortChannels(sorted, 'filters').filters.size, 0)
})

test('channels nobody reads go through pooling and flattening, back through every layer', async () => {
  const n = new Network(new Random(9))
  const x = n.input([2, 1, 8, 8])
  const first = n.b.relu(n.conv(x, 6, 3, 1, true))
  // Only filter 0 of the second layer is read at the end, and it reads channels 0 to 2 of the first.
  const second = n.convWith(
    first,
    n.held([4, 6, 3, 3], index => (Math.floor(index / 9) % 6 < 3 ? 0.2 : 0)),
    1,
  )
  const pooled = n.b.op('MaxPool', [n.b.relu(second)], {
    kernel: [2, 2],
    strides: [2, 2],
    pads: [0, 0, 0, 0],
  })
  const flat = n.b.op('Flatten', [pooled], { axis: 1 })
  const model = n.model(
    n.gemmWith(
      flat,
      n.held([3, 64], index => (index % 64 < 16 ? 0.1 : 0)),
    ),
  )
  const lean = removeDeadChannels(model).model
  const shapes = [...lean.parameters.values()].map(tensor => tensor.shape)
  assert.deepEqual(shapes, [[3, 1, 3, 3], [3], [1, 3, 3, 3], [3, 16]])
  const inputs = randomInputs(model, new Random(10))
  assertClose(await run(lean, inputs), await run(model, inputs), 1e-5, 'lean')
})

test('channels of a residual sum stay while anything reads either side', () => {
  const n = new Network(new Random(11))
  const x = n.convWith(
    n.input([1, 3, 6, 6]),
    n.held([4, 3, 1, 1], () => 0.3),
    0,
  )
  const branch = n.convWith(
    x,
    n.held([4, 4, 1, 1], (_, filter) => (filter === 2 ? 0 : 0.3)),
    0,
  )
  const model = n.model(
    n.convWith(
      n.b.add(x, branch),
      n.held([2, 4, 1, 1], () => 1),
      0,
    ),
  )
  assert.equal(removeDeadChannels(model).filters.size, 0)
})

test('channels of a residual sum that nobody reads go from all its sides together', async () => {
  const n = new Network(new Random(12))
  const x = n.convWith(
    n.input([1, 3, 6, 6]),
    n.held([4, 3, 1, 1], () => 0.3),
    0,
  )
  const branch = n.convWith(
    x,
    n.held([4, 4, 1, 1], index => (index % 4 === 2 ? 0 : 0.3)),
    0,
  )
  const sum = n.b.add(x, branch)
  const model = n.model(
    n.convWith(
      sum,
      n.held([2, 4, 1, 1], index => (index % 4 === 2 ? 0 : 1)),
      0,
    ),
  )
  const { model: lean, filters } = removeDeadChannels(model)
  assert.deepEqual(
    [...filters.values()],
    [
      [0, 1, 3],
      [0, 1, 3],
    ],
  )
  const inputs = randomInputs(model, new Random(13))
  assertClose(await run(lean, inputs), await run(model, inputs), 1e-5, 'lean')
})

test('the output keeps its name and shape even if no weight is left', async () => {
  const n = new Network(new Random(14))
  const hidden = n.b.relu(
    n.convWith(
      n.input([1, 3, 6, 6]),
      n.held([4, 3, 3, 3], () => 0),
      1,
    ),
  )
  const model = n.model(
    n.convWith(
      hidden,
      n.held([2, 4, 3, 3], () => 0),
      1,
      n.held([2], index => index + 1),
    ),
  )
  const lean = removeDeadChannels(model).model
  assert.deepEqual(lean.graph.outputs, model.graph.outputs)
  const inputs = randomInputs(model, new Random(15))
  assertClose(await run(lean, inputs), await run(model, inputs), 0, 'constant network')
})

/** Layers with random, often zero, numbers. */
class Network {
  readonly b = new GraphBuilder('random')
  readonly random: Random
  readonly #parameters = new Map<string, Tensor>()

  constructor(random: Random) {
    this.random = random
  }

  input(shape: Shape, name = 'x'): Value {
    return this.b.input(name, shape)
  }

  /** Numbers by index and first-axis position. */
  held(shape: Shape, value: (index: number, filter: number) => number): Value {
    const perFilter = sizeOf(shape.slice(1))
    const data = Float32Array.from({ length: sizeOf(shape) }, (_, index) =>
      value(index, Math.floor(index / perFilter)),
    )
    const name = `p${this.#parameters.size}`
    this.#parameters.set(name, f32(shape, data))
    return this.b.parameter(name, shape)
  }

  parameter(shape: Shape): Value {
    return this.held(shape, () => this.random.normal())
  }

  /** Ternary in spirit: empty filters, unread inputs and single zeros. */
  weight(shape: Shape): Value {
    const emptyFilters = Array.from({ length: shape[0]! }, () => this.random.below(4) === 0)
    const unread = Array.from({ length: shape[1]! }, () => this.random.below(4) === 0)
    const taps = sizeOf(shape.slice(2))
    return this.held(shape, (index, filter) =>
      emptyFilters[filter] || unread[Math.floor(index / taps) % shape[1]!] || this.random.below(2) === 0
        ? 0
        : this.random.normal() / 3,
    )
  }

  conv(x: Value, channels: number, kernel: number, pad: number, bias: boolean, groups = 1): Value {
    const weight = this.weight([channels, x.shape[1]! / groups, kernel, kernel])
    return this.convWith(x, weight, pad, bias ? this.parameter([channels]) : undefined, groups)
  }

  convWith(x: Value, weight: Value, pad: number, bias?: Value, groups = 1): Value {
    const pads = [pad, pad, pad, pad] as const
    const inputs = bias === undefined ? [x, weight] : [x, weight, bias]
    return this.b.op('Conv', inputs, { strides: [1, 1], dilations: [1, 1], pads, groups })
  }

  gemmWith(x: Value, weight: Value, bias?: Value): Value {
    const inputs = bias === undefined ? [x, weight] : [x, weight, bias]
    return this.b.op('Gemm', inputs, { alpha: 1, beta: 1, transA: false, transB: true })
  }

  batchNorm(x: Value): Value {
    const shape = [x.shape[1]!]
    const gamma = this.held(shape, index => (index % 3) - 1 + this.random.below(2) / 2)
    const [beta, mean] = [this.parameter(shape), this.parameter(shape)]
    const variance = this.held(shape, () => 0.5 + this.random.uniform())
    return this.b.op('BatchNormalization', [x, gamma, beta, mean, variance], { epsilon: 1e-5, momentum: 0.9 })
  }

  model(...outputs: readonly Value[]): Model {
    return { graph: this.b.build(outputs), parameters: this.#parameters }
  }
}

function randomNetwork(random: Random): Model {
  const n = new Network(random)
  const { b } = n
  const pick = (bound: number) => random.below(bound)
  let x = n.input([2, 3, 10, 10])
  const outputs: Value[] = []
  for (let block = 0; block < 6; block++) {
    const [, channels, height] = x.shape as [number, number, number, number]
    const pads = pick(2) === 0 ? ([0, 0, 0, 0] as const) : ([1, 0, 0, 1] as const)
    const pool = { kernel: [2, 2], strides: [1, 1], pads } as const
    switch (pick(10)) {
      case 0:
        x = b.op('MaxPool', [x], pool)
        break
      case 1:
        x = b.op('AveragePool', [x], { ...pool, countIncludePad: pick(2) === 0 })
        break
      case 2:
        x = activation(n, n.conv(x, channels, 3, 1, pick(2) === 0, channels))
        break
      case 3:
        x = b.add(x, n.batchNorm(n.conv(activation(n, n.conv(x, 5, 3, 1, true)), channels, 3, 1, false)))
        break
      case 4: {
        const gate = n.conv(b.op('GlobalAveragePool', [x], {}), channels, 1, 0, true)
        x = b.mul(x, b.op('HardSigmoid', [gate], { alpha: 0.2, beta: 0.5 }))
        break
      }
      case 5:
        x = b.op(
          (['Add', 'Sub', 'Mul', 'Div'] as const)[pick(4)]!,
          [x, n.held([channels, 1, 1], () => 0.5 + pick(3))],
          {},
        )
        break
      case 6:
        x = b.op('Slice', [x], { starts: [0, 0], ends: [height, height], axes: [2, 3], steps: [1, 2] })
        // The engine merges a Pad into a pool behind it and then finds the padding too large.
        x = b.op('Pad', [x], {
          pads: pick(2) === 0 ? [0, 1, 0, 0, 0, 2, 0, 0] : [0, 0, 1, 0, 0, 0, 0, 1],
          value: pick(2),
        })
        x = b.relu(x)
        break
      case 7:
        x = b.op('Concat', [n.conv(x, 3, 1, 0, true), activation(n, n.conv(x, 4, 1, 0, true))], { axis: 1 })
        break
      case 8:
        outputs.push(x)
        x = activation(n, n.conv(x, 4, 1, 0, true))
        break
      default: {
        const layer = n.conv(x, 4 + pick(5), height >= 3 ? 3 : 1, pick(2), pick(3) > 0)
        x = activation(n, pick(2) === 0 ? n.batchNorm(layer) : layer)
      }
    }
    if (x.shape[2]! < 2 || x.shape[3]! < 2) break
  }
  x = activation(n, n.conv(x, 6, 1, 0, true))
  switch (pick(4)) {
    case 0:
      x = b.op('Flatten', [x], { axis: 1 })
      break
    case 1:
      x = b.reshape(x, [2, sizeOf(x.shape) / 2])
      break
    case 2:
      x = b.mean(x, [2, 3])
      break
    default:
      x = b.op('Flatten', [b.op('GlobalAveragePool', [x], {})], { axis: 1 })
  }
  const hidden = n.gemmWith(x, n.weight([7, x.shape[1]!]), pick(2) === 0 ? n.parameter([7]) : undefined)
  const last = n.gemmWith(b.relu(n.batchNorm(hidden)), n.weight([4, 7]), n.parameter([4]))
  return n.model(
    last,
    ...outputs.filter((value, index) => outputs.indexOf(value) === index && value.name !== 'x'),
  )
}

function activation({ b, random }: Network, x: Value): Value {
  switch (random.below(9)) {
    case 0:
      return b.op('Clip', [x], { min: 0, max: 6 })
    case 1:
      return b.op('HardSwish', [x], {})
    case 2:
      return b.op('Sigmoid', [x], {})
    case 3:
      return b.op('Tanh', [x], {})
    case 4:
      return b.op('Dropout', [x], { ratio: 0.5 })
    case 5:
      return b.op('Identity', [x], {})
    default:
      return b.relu(x)
  }
}

function randomInputs(model: Model, random: Random): Record<string, Tensor> {
  return Object.fromEntries(
    model.graph.inputs.map(({ name, shape }) => [
      name,
      f32(
        shape,
        Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
      ),
    ]),
  )
}

async function run(model: Model, inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const executable = await engine.load({ graph: model.graph, state: new Map() })
  await executable.setState(model.parameters)
  const outputs = await executable.run(inputs)
  await executable.release()
  return outputs
}

function assertClose(
  found: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
  tolerance: number,
  what: string,
): void {
  assert.deepEqual(Object.keys(found), Object.keys(expected), what)
  for (const [name, tensor] of Object.entries(expected)) {
    const values = found[name]!.data as Float32Array
    assert.deepEqual(found[name]!.shape, tensor.shape)
    const scale = (tensor.data as Float32Array).reduce((most, value) => Math.max(most, Math.abs(value)), 1)
    tensor.data.forEach((value, index) => {
      const difference = Math.abs(values[index]! - (value as number))
      assert.ok(
        difference <= tolerance * scale,
        `${what}: ${name}[${index}] is ${values[index]}, expected ${value}`,
      )
    })
  }
}

function elements(model: Model): number {
  return [...model.parameters.values()].reduce((sum, tensor) => sum + tensor.data.length, 0)
}

function count(model: Model, op: OperatorName): number {
  return model.graph.nodes.filter(node => node.op === op).length
}
