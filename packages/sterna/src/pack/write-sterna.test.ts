import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type ActivationRange,
  type DenseTensor,
  type InferenceOperatorName,
  type PackedModel,
  type PackedNode,
  type PackedTensor,
  readSterna,
  type TernaryTensor,
} from 'sterna-runtime'
import { applyFactors, type FieldCoding, operatorSchemas } from 'sterna-runtime/format'
import { Random, SternaError } from '../core/index.ts'
import { writeSterna } from './write-sterna.ts'

const names = Object.keys(operatorSchemas) as InferenceOperatorName[]

test('what is written is read back: operators, attributes, edges, tensors, metadata', () => {
  for (let seed = 0; seed < 200; seed++) {
    const given = randomModel(new Random(seed))
    const { model } = readSterna(writeSterna(given))
    assert.equal(model.name, given.name)
    assert.deepEqual(model.inputs, given.inputs)
    assert.deepEqual(model.outputs, given.outputs)
    assert.deepEqual(model.metadata, given.metadata)
    const readAs = new Map(given.inputs.map(({ name }) => [name, name]))
    assert.equal(model.nodes.length, given.nodes.length)
    given.nodes.forEach((node, index) => {
      const read = model.nodes[index]!
      assert.equal(read.op, node.op)
      assert.deepEqual(read.attributes, node.attributes, `seed ${seed}, ${node.op}`)
      node.inputs.forEach((input, position) => {
        const tensor = given.tensors.get(input)
        if (tensor !== undefined) assert.deepEqual(model.tensors.get(read.inputs[position]!), tensor)
        else assert.equal(read.inputs[position], readAs.get(input))
      })
      readAs.set(node.outputs[0]!, read.outputs[0]!)
    })
    assert.equal(model.tensors.size, given.tensors.size)
    const ranges = [...(given.activations ?? [])].map(([name, range]) => [readAs.get(name), range])
    assert.deepEqual([...(model.activations ?? [])], ranges)
  }
})

test('writing what was read gives the same bytes, and their account adds up to the file', () => {
  for (let seed = 0; seed < 100; seed++) {
    const bytes = writeSterna(randomModel(new Random(seed)))
    const { model, account } = readSterna(bytes)
    assert.deepEqual(writeSterna(model), bytes)
    assert.deepEqual(readSterna(writeSterna(model)).model, model)
    assert.equal(account.totalBytes, bytes.length)
    assert.equal(
      account.sections.reduce((sum, section) => sum + section.bytes, 0),
      bytes.length,
    )
    assert.deepEqual(
      new Set(account.sections.flatMap(({ tensor }) => tensor ?? [])),
      new Set(model.tensors.keys()),
    )
  }
})

test('layers keep their names, tensors are called after them, other nodes after their operator', () => {
  const { model } = readSterna(writeSterna(twoLayers()))
  assert.deepEqual(
    model.nodes.map(node => node.name),
    ['block.fc1', 'Relu#1', 'block.fc2'],
  )
  assert.deepEqual([...model.tensors.keys()], ['block.fc1.weight', 'block.fc1.bias', 'block.fc2.weight'])
})

test('the bytes given and the model read share no memory', () => {
  const bytes = writeSterna(twoLayers())
  const { model } = readSterna(bytes)
  const again = readSterna(bytes).model
  bytes.fill(0)
  assert.deepEqual(model, again)
})

test('a reader accepts a file inside a larger buffer', () => {
  const bytes = writeSterna(twoLayers())
  const larger = new Uint8Array(bytes.length + 11)
  larger.set(bytes, 7)
  assert.deepEqual(readSterna(larger.subarray(7, 7 + bytes.length)), readSterna(bytes))
})

test('a writer refuses what a reader would', () => {
  const model = twoLayers()
  const withTensor = (tensor: PackedTensor) => ({
    ...model,
    tensors: new Map([...model.tensors, ['w1', tensor]]),
  })
  const ternary = model.tensors.get('w1') as TernaryTensor
  const dense = (data: Float32Array): DenseTensor => ({ kind: 'dense', shape: [2, 3], storage: 'f16', data })
  const withRange = (name: string, change: Partial<ActivationRange>) => ({
    ...model,
    activations: new Map([[name, { scale: 0.5, zero: 0, max: 127, ...change }]]),
  })
  const refused: readonly (readonly [string, PackedModel])[] = [
    ['tensor/invalid', withTensor({ ...ternary, assignment: new Int8Array(5) })],
    ['tensor/invalid', withTensor({ ...ternary, assignment: new Int8Array(6).fill(2) })],
    ['tensor/invalid', withTensor({ ...ternary, positive: Float32Array.of(-1) })],
    ['tensor/invalid', withTensor({ ...ternary, positive: Float32Array.of(1e6) })],
    [
      'tensor/invalid',
      withTensor({ ...ternary, factors: { positive: 3, negative: 1, scale: Float32Array.of(1, 1) } }),
    ],
    ['tensor/invalid', withTensor(dense(new Float32Array(6).fill(Number.NaN)))],
    ['tensor/invalid', withTensor(dense(new Float32Array(6).fill(1e5)))],
    ['graph/unknown-value', { ...model, tensors: new Map([...model.tensors, ['unread', ternary]]) }],
    ['graph/unknown-value', { ...model, outputs: ['x'] }],
    ['graph/unknown-value', { ...model, nodes: model.nodes.slice(1) }],
    ['file/limit', { ...model, inputs: [{ name: 'x', shape: [1, 1, 1, 1, 1, 1, 1, 1, 3] }] }],
    ['usage/input', { ...model, metadata: { normalization: { mean: [0], std: [0] } } }],
    ['graph/unknown-value', withRange('nobody', {})],
    ['graph/unknown-value', withRange('w1', {})],
    ['usage/input', withRange('x', { scale: 0.1 })],
    ['usage/input', withRange('x', { scale: 0 })],
    ['usage/input', withRange('x', { zero: 128 })],
    ['usage/input', withRange('x', { zero: 0.5 })],
    ['usage/input', withRange('x', { max: 256 })],
  ]
  for (const [code, bad] of refused) {
    assert.throws(
      () => writeSterna(bad),
      (error: unknown) => error instanceof SternaError && error.code === code,
    )
  }
})

function twoLayers(): PackedModel {
  const gemm = { alpha: 1, beta: 1, transA: false, transB: true }
  return {
    name: 'two',
    inputs: [{ name: 'x', shape: [1, 3] }],
    outputs: ['y'],
    nodes: [
      { op: 'Gemm', name: 'block.fc1', inputs: ['x', 'w1', 'b1'], outputs: ['h'], attributes: gemm },
      { op: 'Relu', name: 'activation', inputs: ['h'], outputs: ['r'], attributes: {} },
      { op: 'Gemm', name: 'block.fc2', inputs: ['r', 'w2'], outputs: ['y'], attributes: gemm },
    ],
    tensors: new Map<string, PackedTensor>([
      ['b1', { kind: 'dense', shape: [2], storage: 'f16', data: Float32Array.of(0.5, -2) }],
      ['w1', ternaryOf([2, 3], Int8Array.of(1, 0, -1, 0, 1, 1), new Random(1))],
      ['w2', ternaryOf([4, 2], Int8Array.of(1, -1, 1, 1, -1, 1, 1, 1), new Random(2))],
    ]),
    metadata: {},
  }
}

/** Any graph the format can hold; shapes need not fit each other, which is not the file's business. */
function randomModel(random: Random): PackedModel {
  const inputs = Array.from({ length: 1 + random.below(2) }, (_, index) => ({
    name: `in ${index}`,
    shape: [1, ...Array.from({ length: random.below(4) }, () => 1 + random.below(30))],
  }))
  const tensors = new Map<string, PackedTensor>()
  const edges = inputs.map(input => input.name)
  const nodes = Array.from({ length: 1 + random.below(6) }, (_, index): PackedNode => {
    const op = names[random.below(names.length)]!
    const { minInputs, maxInputs, attributes } = operatorSchemas[op]
    const count = minInputs + random.below(Math.min(maxInputs, 6) - minInputs + 1)
    const read = Array.from({ length: count }, (_, position) => {
      if (position === 0 || random.below(3) === 0) return edges[random.below(edges.length)]!
      const name = `tensor ${tensors.size}`
      tensors.set(name, randomTensor(random))
      edges.push(name)
      return name
    })
    const output = `layer ${index} / é`
    edges.push(output)
    const values = Object.entries(attributes).map(([key, coding]) => [key, randomField(random, coding)])
    return {
      op,
      name: `${index}`,
      inputs: read,
      outputs: [output],
      attributes: Object.fromEntries(values),
    } as PackedNode
  })
  const outputs = [
    ...new Set([nodes.at(-1)!, nodes[random.below(nodes.length)]!].map(node => node.outputs[0]!)),
  ]
  const metadata =
    random.below(2) === 0 ? {} : { classes: ['a', 'ü'], from: random.below(100), deep: [{ x: null }] }
  const ranges = edges.flatMap(edge => {
    if (tensors.has(edge) || random.below(2) === 0) return []
    const max = 1 + random.below(255)
    const scale = Math.fround(random.uniform() + 2 ** -20)
    return [[edge, { scale, zero: random.below(max + 1), max }] as const]
  })
  const activations = ranges.length > 0 && { activations: new Map(ranges) }
  return { name: 'random', inputs, outputs, nodes, tensors, metadata, ...activations }
}

function randomField(random: Random, coding: FieldCoding): unknown {
  const size = () => (random.below(4) === 0 ? random.below(0x7fff_ffff) : random.below(4))
  switch (coding) {
    case 'count':
      return size() + 1
    case 'integer':
      return size() - size()
    case 'number':
      return [0.5, -3, 2 ** -20, Number.NEGATIVE_INFINITY][random.below(4)]
    case 'flag':
      return random.below(2) === 1
    case 'counts2':
      return [size() + 1, size() + 1]
    case 'sizes4':
      return [size(), size(), size(), size()]
    case 'integers':
      return Array.from({ length: random.below(6) }, () => size() - size())
    default:
      return coding satisfies never
  }
}

function randomTensor(random: Random): PackedTensor {
  const shape = Array.from({ length: random.below(4) }, () => 1 + random.below(6))
  const elements = shape.reduce((product, size) => product * size, 1)
  const half = () => (random.below(4095) - 2047) * 2 ** (random.below(20) - 14)
  const data = Float32Array.from({ length: elements }, half)
  switch (random.below(4)) {
    case 0:
      return { kind: 'dense', shape, storage: 'f16', data }
    case 1:
      return { kind: 'dense', shape, storage: 'f32', data: data.map(value => value / 3) }
    case 2: {
      const codes = Int8Array.from(data, () => random.below(255) - 127)
      const scale = Float32Array.from({ length: shape[0] ?? 1 }, () => Math.abs(half()))
      const per = elements / scale.length
      const values = Float32Array.from(codes, (code, index) => code * scale[Math.floor(index / per)]!)
      return { kind: 'dense', shape, storage: 'i8', data: values, codes, scale }
    }
    default: {
      const zeros = random.below(3)
      const assignment = Int8Array.from(data, () => (random.below(3) < zeros ? 0 : random.below(2) * 2 - 1))
      return ternaryOf(shape, assignment, random)
    }
  }
}

function ternaryOf(shape: readonly number[], assignment: Int8Array, random: Random): TernaryTensor {
  const filters = shape[0] ?? 1
  const magnitudes = (count: number) => Float32Array.from({ length: count }, () => random.below(2048) / 1024)
  const layout = random.below(3)
  if (layout === 2) {
    const scale = Float32Array.from({ length: filters }, () => random.below(1024) / 512 - 1 || 1)
    const [positive, negative] = [...magnitudes(2)] as [number, number]
    return { kind: 'ternary', shape, assignment, ...applyFactors({ positive, negative, scale }) }
  }
  const count = layout === 0 ? 1 : filters
  return { kind: 'ternary', shape, assignment, positive: magnitudes(count), negative: magnitudes(count) }
}
