import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { type ActivationRange, readSterna, type TernaryTensor } from 'sterna-runtime'
import { ByteReader, contextSets, fastCodec, maxCodec, smallCodec } from 'sterna-runtime/format'
import { Random } from '../core/index.ts'
import { encodeContexts, encodeMax, encodeSmall, encodeTuned } from './encode-coded.ts'
import { encodeFast } from './encode-fast.ts'
import type { Profile } from './encode-tensor.ts'
import { Bytes, decodeActivations, decodeFile, decodePayload, product } from './testing/slow-decoder.ts'
import { writeSterna } from './write-sterna.ts'

const directory = path.resolve(import.meta.dirname, '../../../../test/fixtures/format')

interface Vector {
  readonly about: string
  /** Of today's writer, where one of its profiles makes the same bytes. */
  readonly profile?: Profile
  readonly partBytes?: number
  readonly tensors: Readonly<Record<string, VectorTensor>>
  /** By number and by name. */
  readonly activations?: readonly (ActivationRange & { readonly value: number; readonly name: string })[]
}

interface VectorTensor extends Partial<VectorTerm> {
  readonly codec: string
  readonly shape: readonly number[]
  readonly values?: readonly number[]
  readonly terms?: readonly VectorTerm[]
}

interface VectorTerm {
  readonly positive: readonly number[]
  readonly negative: readonly number[]
  /** A character for each weight: -, 0 or +. */
  readonly assignment: string
}

const vectors = readdirSync(directory)
  .filter(file => file.endsWith('.json'))
  .map(file => ({
    name: path.basename(file, '.json'),
    bytes: new Uint8Array(readFileSync(path.join(directory, file.replace('.json', '.sterna')))),
    vector: JSON.parse(readFileSync(path.join(directory, file), 'utf8')) as Vector,
  }))

for (const { name, bytes, vector } of vectors) {
  test(`the vector ${name} is read as it is described`, () => {
    const { model, account } = readSterna(bytes)
    const codecs = new Map(account.sections.map(part => [part.tensor, part.codec]))
    assert.deepEqual([...model.tensors.keys()], Object.keys(vector.tensors))
    assert.deepEqual(
      [...(model.activations ?? [])],
      (vector.activations ?? []).map(({ name, scale, zero, max }) => [name, { scale, zero, max }]),
    )
    for (const [key, tensor] of model.tensors) {
      const expected = vector.tensors[key]!
      assert.equal(codecs.get(key), expected.codec)
      assert.deepEqual(tensor.shape, expected.shape)
      if (tensor.kind === 'ternary') expectTerm(tensor, expected as VectorTerm)
      else if (tensor.storage === 'terms') {
        assert.equal(tensor.terms.length, expected.terms!.length)
        for (const [index, term] of tensor.terms.entries()) expectTerm(term, expected.terms![index]!)
      } else assert.deepEqual([...tensor.data], expected.values)
    }
  })

  if (vector.profile !== undefined) {
    test(`the vector ${name} is written again byte for byte`, () => {
      assert.deepEqual(writeSterna(readSterna(bytes).model, vector.profile, vector.partBytes), bytes)
    })
  }

  test(`a decoder written from the document reads the weights of ${name}`, () => {
    const decoded = decodeFile(bytes)
    Object.values(vector.tensors).forEach((expected, index) => {
      const { shape, values } = decoded[index]!
      assert.deepEqual(shape, expected.shape)
      assert.deepEqual(values, expected.values ?? sumOfTerms(expected))
    })
  })
}

for (const { name, bytes, vector } of vectors.filter(({ vector }) => vector.activations !== undefined)) {
  test(`a decoder written from the document reads the ranges of ${name}`, () => {
    const expected = vector.activations!.map(({ value, scale, zero, max }) => ({ value, scale, zero, max }))
    assert.deepEqual(decodeActivations(bytes), expected)
  })
}

test('the vectors cover every codec', () => {
  const used = new Set(
    vectors.flatMap(({ vector }) => Object.values(vector.tensors).map(({ codec }) => codec)),
  )
  assert.deepEqual([...used].sort(), [
    'f16',
    'f16-coded',
    'f32',
    'fast',
    'i8',
    'i8-coded',
    'mask-sign',
    'max',
    'sign',
    'small',
    'tuned',
  ])
})

test('both decoders agree on tensors of any shape in every ternary codec', () => {
  const random = new Random(5)
  for (let round = 0; round < 60; round++) {
    const rank = random.below(6)
    const dims = Array.from({ length: rank }, () => 1 + random.below(rank > 3 ? 5 : 9))
    const shape = { dims, elements: product(dims), filters: dims[0] ?? 1 }
    const zeros = random.uniform()
    const assignment = new Int8Array(shape.elements)
    for (let index = 0; index < assignment.length; index++) {
      if (random.uniform() > zeros) assignment[index] = random.below(3) === 0 ? -1 : 1
      if (index > 0 && random.below(2) === 0) assignment[index] = assignment[index - 1]!
    }
    const stored = {
      shape,
      layout: 'tensor' as const,
      magnitudes: Uint16Array.of(0x3c00, 0x3800),
      assignment,
    }
    const memory = random.below(6)
    const tuning = {
      set: contextSets[random.below(3)]!,
      order: { channelsFirst: random.below(2) === 0, columnsFirst: random.below(2) === 0 },
    }
    const payloads = [
      encodeSmall(stored),
      encodeMax(stored),
      { codec: smallCodec, payload: encodeContexts(stored, memory, false) },
      { codec: maxCodec, payload: encodeContexts(stored, memory, true) },
      { codec: fastCodec, payload: encodeFast(stored) },
      encodeTuned(stored, tuning, random.below(3) === 0),
    ]
    for (const { codec, payload } of payloads) {
      const tensor = codec.decode(new ByteReader(payload, 0, payload.length, 'payload'), shape)
      assert.deepEqual((tensor as TernaryTensor).assignment, assignment, `${codec.name} [${dims}]`)
      const values = Array.from(assignment, level => (level < 0 ? -0.5 : level))
      assert.deepEqual(decodePayload(codec.id, dims, new Bytes(payload)), values, `${codec.name} [${dims}]`)
    }
  }
})

test('both decoders agree on sums of terms of any shape, order and context set', () => {
  const random = new Random(6)
  for (let round = 0; round < 40; round++) {
    const dims = Array.from({ length: 1 + random.below(4) }, () => 1 + random.below(7))
    const shape = { dims, elements: product(dims), filters: dims[0]! }
    const terms = Array.from({ length: 2 + random.below(3) }, () => new Int8Array(shape.elements))
    const nested = random.below(2) === 0
    for (let index = 0; index < shape.elements; index++) {
      const reach = random.below(terms.length + 2)
      const sign = random.below(2) === 0 ? 1 : -1
      for (const [term, levels] of terms.entries())
        levels[index] = nested ? (term < reach ? sign : 0) : random.below(3) - 1
    }
    const scaled = random.below(2) === 0
    const scales = Array.from(
      { length: scaled ? shape.filters : 0 },
      () => [0x3c00, 0xb800][random.below(2)]!,
    )
    const stored = {
      shape,
      layout: scaled ? ('scaled' as const) : ('tensor' as const),
      magnitudes: Uint16Array.of(
        ...terms.flatMap((_, term) => [0x3c00 - 64 * term, 0x3800 + term]),
        ...scales,
      ),
      assignment: terms[0]!,
      further: terms.slice(1),
    }
    const tuning = {
      set: contextSets[random.below(3)]!,
      order: { channelsFirst: random.below(2) === 0, columnsFirst: random.below(2) === 0 },
    }
    const { codec, payload } = encodeTuned(stored, tuning, random.below(2) === 0)
    const tensor = codec.decode(new ByteReader(payload, 0, payload.length, 'payload'), shape)
    assert.ok(tensor.kind === 'dense' && tensor.storage === 'terms')
    for (const [term, { assignment }] of tensor.terms.entries()) {
      const sign = (index: number) =>
        scaled && scales[Math.floor((index * shape.filters) / shape.elements)] === 0xb800 ? -1 : 1
      assert.deepEqual(
        assignment,
        terms[term]!.map((level, index) => level * sign(index)),
      )
    }
    assert.deepEqual(decodePayload(codec.id, dims, new Bytes(payload)), [...tensor.data])
  }
})

function expectTerm({ assignment, positive, negative }: TernaryTensor, expected: VectorTerm): void {
  assert.equal(Array.from(assignment, level => '-0+'[level + 1]).join(''), expected.assignment)
  assert.deepEqual([...positive], expected.positive)
  assert.deepEqual([...negative], expected.negative)
}

function sumOfTerms({ shape, terms, ...only }: VectorTensor): readonly number[] {
  return (terms ?? [only as VectorTerm])
    .map(term => ternaryValues(shape, term))
    .reduce((sum, values) => sum.map((value, index) => Math.fround(value + values[index]!)))
}

function ternaryValues(
  shape: readonly number[],
  { positive, negative, assignment }: VectorTerm,
): readonly number[] {
  const perFilter = assignment.length / (shape[0] ?? 1)
  return Array.from(assignment, (character, index) => {
    const filter = positive.length === 1 ? 0 : Math.floor(index / perFilter)
    if (character === '0') return 0
    return character === '+' ? positive[filter]! : -negative[filter]!
  })
}
