import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CodedPart,
  decodePart,
  load,
  type PackedModel,
  type PackedTensor,
  readSterna,
  readSternaStream,
} from 'sterna-runtime'
import { applyFactors, sumOf } from 'sterna-runtime/format'
import { Random, SternaError, sizeOf } from '../core/index.ts'
import { decodeFile } from './testing/slow-decoder.ts'
import { writeSterna } from './write-sterna.ts'

const random = new Random(1)
const shape = [40, 60]
const levels = (zeros: number) =>
  Int8Array.from({ length: sizeOf(shape) }, () => (random.uniform() < zeros ? 0 : random.below(2) * 2 - 1))
const scale = Float32Array.from({ length: 40 }, (_, filter) => (filter % 3 === 0 ? -0.5 : 1 + filter / 64))
const halves = Float32Array.from({ length: sizeOf(shape) }, () => (random.below(200) - 100) / 64)
const codes = Int8Array.from({ length: sizeOf(shape) }, () => random.below(255) - 127)
const bytesScale = Float32Array.from({ length: 40 }, (_, filter) => 1 / (filter + 1))
  .map(Math.fround)
  .fill(0.25)
const one = { positive: Float32Array.of(0.5), negative: Float32Array.of(0.25) }
const perFilter = Float32Array.from({ length: 40 }, (_, filter) => filter / 8)
const ternary = (assignment: Int8Array) => ({ kind: 'ternary', shape, assignment }) as const

const tensors: Readonly<Record<string, PackedTensor>> = {
  tensor: { ...ternary(levels(0.5)), ...one },
  filter: { ...ternary(levels(0.7)), positive: perFilter, negative: perFilter },
  scaled: { ...ternary(levels(0.6)), ...applyFactors({ positive: 0.5, negative: 0.25, scale }) },
  sum: sumOf(
    [levels(0.5), levels(0.8)].map(a => ({
      ...ternary(a),
      ...applyFactors({ positive: 0.5, negative: 1, scale }),
    })),
  ),
  halves: { kind: 'dense', shape, storage: 'f16', data: halves },
  floats: { kind: 'dense', shape, storage: 'f32', data: halves.map(value => value / 3) },
  bytes: {
    kind: 'dense',
    shape,
    storage: 'i8',
    codes,
    scale: bytesScale,
    data: Float32Array.from(codes, c => c / 4),
  },
}
const model: PackedModel = {
  name: 'parts',
  inputs: [{ name: 'x', shape: [1, 60] }],
  outputs: Object.keys(tensors).map(name => `${name}.y`),
  nodes: Object.keys(tensors).map(name => ({
    op: 'Gemm',
    name,
    inputs: ['x', `${name}.weight`],
    outputs: [`${name}.y`],
    attributes: { alpha: 1, beta: 1, transA: false, transB: true },
  })),
  tensors: new Map(Object.entries(tensors).map(([name, tensor]) => [`${name}.weight`, tensor])),
  metadata: {},
}
const partBytes = 100
const whole = writeSterna(model, 'small')

test('a tensor of every kind is put together from its parts, by either decoder', () => {
  for (const profile of ['fast', 'small', 'max'] as const) {
    const file = writeSterna(model, profile, partBytes)
    const { model: read, account } = readSterna(file)
    assert.deepEqual(read, readSterna(whole).model)
    const counts = account.sections.flatMap(({ tensor, parts }) => (tensor === undefined ? [] : [parts ?? 1]))
    assert.ok(
      counts.every(count => count > 1),
      `${counts}`,
    )
    assert.equal(
      account.sections.reduce((sum, part) => sum + part.bytes, 0),
      file.length,
    )
    assert.deepEqual(writeSterna(read, profile, partBytes), file)
    assert.deepEqual(decodeFile(file), decodeFile(whole))
  }
})

test('a usual file has no parts, and neither has a plain one', () => {
  const isOne = (file: Uint8Array) =>
    readSterna(file).account.sections.every(({ parts }) => parts === undefined)
  assert.ok(isOne(whole) && isOne(writeSterna(model, 'plain', 1)))
})

test('parts of 64 KiB cost less than 0.3 %', () => {
  const big = { ...ternary(new Int8Array(0)), shape: [800, 1500], ...one }
  const assignment = Int8Array.from({ length: sizeOf(big.shape) }, (_, index) =>
    random.uniform() < ((index % 1500) % 7 === 0 ? 0.2 : 0.6) ? 0 : random.below(2) * 2 - 1,
  )
  const only = (bytes?: number) =>
    writeSterna(
      {
        ...model,
        inputs: [{ name: 'x', shape: [1, 1500] }],
        outputs: ['tensor.y'],
        nodes: model.nodes.slice(0, 1),
        tensors: new Map([['tensor.weight', { ...big, assignment }]]),
      },
      'small',
      bytes,
    )
  const [split, single] = [only(), only(2 ** 30)]
  assert.ok(readSterna(split).account.sections.some(({ parts }) => parts === 3))
  assert.ok(split.length <= 1.003 * single.length, `${split.length} bytes, ${single.length} in one`)
})

test('parts are decoded elsewhere as they arrive, all at once, and in any order', async () => {
  const file = writeSterna(model, 'small', partBytes)
  const waiting: (() => void)[] = []
  const decode = (part: CodedPart, payload: Uint8Array<ArrayBuffer>): Promise<PackedTensor> =>
    new Promise(resolve => waiting.push(() => resolve(decodePart(structuredClone(part), payload))))
  const stream = new Blob([new Uint8Array(file)]).stream()
  const reading = readSternaStream(stream, { decode })
  const session = load(file, { decode })
  const { length } = await settled(waiting)
  assert.ok(length > 40, `${length} parts wait at once`)
  for (const finish of waiting.reverse()) finish()
  assert.deepEqual(await reading, readSterna(file))
  const x = new Float32Array(60).fill(1)
  assert.deepEqual((await session).run(x), (await load(file)).run(x))
})

test('what fails elsewhere fails the reader, and a stream that fails leaves no failure unheard', async () => {
  const file = writeSterna(model, 'small', partBytes)
  const refuse = () => Promise.reject(new Error('worker lost'))
  await assert.rejects(load(file, { decode: refuse }), /worker lost/)
  await assert.rejects(load(file.slice(0, file.length - 1), { decode: refuse }), isCode('file/truncated'))
  const changed = file.slice()
  changed[file.length - 9]! ^= 4
  await assert.rejects(
    load(changed, { decode: async (part, payload) => decodePart(part, payload) }),
    isCode('file/damaged'),
  )
})

test('parts that are decoded by themselves are checked as tensors are', () => {
  assert.throws(() => decodePart({ codec: 99, shape: [1] }, new Uint8Array(1)), isCode('file/unsupported'))
  assert.throws(() => decodePart({ codec: 6, shape: [2 ** 20] }, new Uint8Array(9)), isCode('file/damaged'))
  assert.throws(() => decodePart({ codec: 2, shape: [2] }, new Uint8Array(5)), isCode('file/damaged'))
})

/** Resolves once nothing more is added. */
async function settled<Item>(list: readonly Item[]): Promise<readonly Item[]> {
  let before = -1
  while (list.length !== before) {
    before = list.length
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return list
}

function isCode(code: string): (error: unknown) => boolean {
  return error => error instanceof SternaError && error.code === code
}
