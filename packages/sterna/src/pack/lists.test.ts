import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { load, loadModel, type PackedModel, readSterna, type TernaryTensor } from 'sterna-runtime'
import { ByteReader } from 'sterna-runtime/format'
import { Random } from '../core/index.ts'
import { encodeTensor } from './encode-tensor.ts'
import { randomPayloads } from './testing/random-payloads.ts'
import { writeSterna } from './write-sterna.ts'

const fixtures = path.resolve(import.meta.dirname, '../../../../test/fixtures/format')

test('every codec decodes tensors of any shape into the lists of what it decodes densely', () => {
  const random = new Random(11)
  for (let round = 0; round < 120; round++) {
    const { shape, plain, scaled } = randomPayloads(random, round)
    for (const { codec, payload } of [...plain, ...scaled]) {
      const decode = (listed: boolean) =>
        codec.decode(new ByteReader(payload, 0, payload.length, 'payload'), shape, {
          listed,
        }) as TernaryTensor
      const [dense, listed] = [decode(false), decode(true)]
      assert.ok(listed.lists !== undefined && dense.lists === undefined)
      assert.deepEqual(plainLists(listed), listsOf(dense), `${codec.name} [${shape.dims}]`)
      const { lists: _, ...rest } = listed
      assert.deepEqual(rest, dense)
    }
  }
})

test('filters of more than 2^16 weights have positions of 32 bits', () => {
  const assignment = new Int8Array(140_000)
  for (const index of [0, 65_536, 69_999, 70_000, 139_999]) assignment[index] = index % 2 === 0 ? 1 : -1
  const one = Float32Array.of(1)
  const tensor = { kind: 'ternary', shape: [2, 70_000], assignment, positive: one, negative: one } as const
  const { codec, payload } = encodeTensor(tensor, 'w', 'small')
  const shape = { dims: tensor.shape, elements: 140_000, filters: 2 }
  const decoded = codec.decode(new ByteReader(payload, 0, payload.length, 'payload'), shape, { listed: true })
  assert.deepEqual(plainLists(decoded as TernaryTensor), listsOf(tensor))
})

test('every vector read into lists says what it says densely', () => {
  for (const file of readdirSync(fixtures).filter(name => name.endsWith('.sterna'))) {
    const bytes = new Uint8Array(readFileSync(path.join(fixtures, file)))
    const dense = readSterna(bytes)
    for (const [name, tensor] of readSterna(bytes, { lists: true }).model.tensors) {
      if (tensor.kind !== 'ternary') continue
      const { lists: _, ...rest } = tensor
      assert.deepEqual(rest, dense.model.tensors.get(name))
    }
  }
})

test('a network of list kernels is loaded and run without a dense copy of its weights', async () => {
  const bytes = writeSterna(convolution())
  const { model } = readSterna(bytes, { lists: true })
  const guarded = new Map(
    [...model.tensors].map(([name, tensor]) => {
      const { lists, positive, negative, shape, kind } = tensor as TernaryTensor
      const assignment = { get: () => assert.fail('the dense weights were asked for'), enumerable: true }
      return [
        name,
        Object.defineProperty(
          { kind, shape, positive, negative, lists } as TernaryTensor,
          'assignment',
          assignment,
        ),
      ]
    }),
  )
  const x = Float32Array.from({ length: 8 * 144 }, (_, index) => Math.sin(index))
  const session = await loadModel({ ...model, tensors: guarded })
  assert.deepEqual(
    session.describe().layers.map(layer => layer.kernel),
    ['add-lists'],
  )
  const result = session.run(x)
  assert.deepEqual(result, (await load(bytes)).run(x))
  assert.deepEqual(result, (await loadModel(readSterna(bytes).model)).run(x))
})

function listsOf({ assignment, shape }: TernaryTensor): readonly (readonly number[])[] {
  const filters = shape[0] ?? 1
  const perFilter = assignment.length / filters
  return Array.from({ length: 2 * filters }, (_, list) => {
    const start = (list >> 1) * perFilter
    const sign = list % 2 === 0 ? 1 : -1
    return [...assignment.subarray(start, start + perFilter)].flatMap((level, at) =>
      level === sign ? [at] : [],
    )
  })
}

function plainLists({ lists }: TernaryTensor): readonly (readonly number[])[] {
  const { ends, positions } = lists!
  return Array.from(ends, (end, list) => [...positions.subarray(ends[list - 1] ?? 0, end)])
}

function convolution(): PackedModel {
  const random = new Random(2)
  const shape = [16, 8, 3, 3]
  const assignment = Int8Array.from({ length: 16 * 72 }, () =>
    random.uniform() < 0.8 ? 0 : random.below(2) * 2 - 1,
  )
  const magnitude = { positive: Float32Array.of(0.5), negative: Float32Array.of(0.25) }
  const attributes = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 } as const
  return {
    name: 'one layer',
    inputs: [{ name: 'x', shape: [1, 8, 12, 12] }],
    outputs: ['y'],
    nodes: [{ op: 'Conv', name: 'conv', inputs: ['x', 'w'], outputs: ['y'], attributes }],
    tensors: new Map([['w', { kind: 'ternary', shape, assignment, ...magnitude }]]),
    metadata: {},
  }
}
