import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { type PackedTensor, readSterna, type TernaryTensor } from 'sterna-runtime'
import {
  ByteReader,
  codedF16Codec,
  codedI8Codec,
  fastCodec,
  maxCodec,
  smallCodec,
  type TensorShape,
  tunedCodec,
} from 'sterna-runtime/format'
import { Random, SternaError } from '../core/index.ts'
import { readSafetensors } from '../formats/index.ts'
import { importWeights, resnetCifar } from '../models/index.ts'
import { encodeTensor, type Profile } from './encode-tensor.ts'
import { detectTernary, entropyBits, packModel } from './index.ts'

const repository = path.resolve(import.meta.dirname, '../../../..')
const fixtures = path.join(repository, 'test/fixtures/format')
const shared = process.env.STERNA_SHARED ?? path.resolve(repository, '../shared')
const ec2tFile = path.join(shared, 'weights/resnet20_ec2t_spars64.safetensors')
const skip = existsSync(ec2tFile) ? false : `no ${path.basename(ec2tFile)} in the shared weights`
const codecs = [smallCodec, maxCodec, fastCodec, codedF16Codec, codedI8Codec, tunedCodec]

test('any bit turned in a coded file is an error, and so is any cut', () => {
  for (const file of readdirSync(fixtures).filter(name => name.endsWith('.sterna'))) {
    const whole = new Uint8Array(readFileSync(path.join(fixtures, file)))
    for (let index = 0; index < whole.length; index++) {
      const changed = whole.slice()
      changed[index]! ^= 1 << (index & 7)
      assert.throws(() => readSterna(changed), SternaError, `${file}, byte ${index}`)
      assert.throws(() => readSterna(whole.slice(0, index)), SternaError, `${file}, ${index} bytes`)
    }
  }
})

test('any bytes are a payload or an error, in time, and what lies around them does not matter', () => {
  const random = new Random(4)
  const startedMs = performance.now()
  const accepted = new Set<string>()
  for (let round = 0; round < 3000; round++) {
    const codec = codecs[round % codecs.length]!
    const shape = shapeOf(Array.from({ length: random.below(5) }, () => 1 + random.below(5)))
    const payload = Uint8Array.from({ length: random.below(60) }, () => random.below(256))
    payload[0] = random.below(8)
    if (codec === tunedCodec) payload[1] = random.below(8)
    if (payload.length < codec.minimumBytes(shape)) continue
    const results = [0, 255].map(around => {
      const larger = new Uint8Array(payload.length + 20).fill(around)
      larger.set(payload, 10)
      return decoded(codec, new ByteReader(larger, 10, 10 + payload.length, 'payload'), shape)
    })
    assert.deepEqual(results[0], results[1])
    if (results[0] !== 'error') accepted.add(codec.name)
  }
  assert.ok(accepted.has('tuned') && accepted.has('f16-coded'), 'some bytes are payloads')
  assert.ok(performance.now() - startedMs < 10_000)
})

test('a byte more at the end of a payload is an error, a byte less an error or other weights', () => {
  const random = new Random(6)
  const shape = shapeOf([9, 7, 3, 3])
  for (const profile of ['small', 'fast', 'max'] as const) {
    for (let round = 0; round < 20; round++) {
      const assignment = randomLevels(random, shape.elements, 0.3 + 0.03 * round)
      const { codec, payload } = encodeTensor(ternary(shape, assignment), 'w', profile)
      const longer = new Uint8Array(payload.length + 1)
      longer.set(payload)
      assert.equal(decoded(codec, new ByteReader(longer, 0, longer.length, 'payload'), shape), 'error')
      const cut = decoded(codec, new ByteReader(payload, 0, payload.length - 1, 'payload'), shape)
      assert.ok(cut === 'error' || !same((cut as TernaryTensor).assignment, assignment))
    }
  }
})

test('weights without any pattern take their entropy, 0.2 % and 16 bytes', () => {
  for (const zeros of [0.2, 0.5, 0.8, 0.9, 0.95, 0.99]) {
    for (const elements of [100, 10_000, 400_000]) {
      const assignment = randomLevels(new Random(elements), elements, zeros)
      const shape = shapeOf([10, elements / 10])
      const { payload } = encodeTensor(ternary(shape, assignment), 'w', 'small')
      // The magnitudes, which the entropy knows nothing of, are two of the 16-bit numbers.
      const limit = (1.002 * entropyBits(assignment)) / 8 + 16
      assert.ok(payload.length <= limit, `${zeros} of ${elements}: ${payload.length} bytes, not ${limit}`)
    }
  }
})

test('an all-zero tensor is not smaller than a byte for 1024 weights', () => {
  const shape = shapeOf([512, 1024])
  const { codec, payload } = encodeTensor(ternary(shape, new Int8Array(shape.elements)), 'w', 'small')
  assert.ok(codec.name === 'small' || codec.name === 'tuned')
  assert.ok(payload.length >= 512 && payload.length <= 512 + 5, `${payload.length} bytes`)
  assert.notEqual(decoded(codec, new ByteReader(payload, 0, payload.length, 'payload'), shape), 'error')
})

test('the published EC2T ResNet-20 takes 0.89 of its order-0 entropy, 0.88 mixed, 0.93 fast', {
  skip,
}, () => {
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(ec2tFile)))
  const layers = [...tensors.values()].flatMap(tensor => detectTernary(tensor) ?? []).filter(isLayer)
  const entropyBytes = layers.reduce((sum, layer) => sum + entropyBits(layer.assignment) / 8, 0)
  const bytes = (profile: Profile) =>
    layers.reduce((sum, layer) => {
      const tensor = { kind: 'ternary', ...layer } as const
      return sum + encodeTensor(tensor, 'w', profile).payload.length
    }, 0)
  assert.ok(bytes('small') <= 0.89 * entropyBytes)
  assert.ok(bytes('small') <= 0.945 * 40_155, 'against the MPEG coder')
  assert.ok(bytes('max') <= 0.88 * entropyBytes)
  assert.ok(bytes('fast') <= 0.93 * entropyBytes)
})

test('the published EC2T ResNet-20 is a file of at most 43,000 bytes', { skip }, () => {
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(ec2tFile)))
  const { model } = importWeights(resnetCifar(3, 10, 1), tensors)
  const { bytes, account } = packModel(model, new Map(), { dense: 'f16', metadata: {} })
  assert.ok(bytes.length <= 43_000, `${bytes.length} bytes`)
  const index = account.sections.filter(part => part.name === 'header' || part.name === 'tensors')
  assert.ok(index.reduce((sum, part) => sum + part.bytes, 0) <= 150 + 10 * 20)
})

function same(one: Int8Array, other: Int8Array): boolean {
  return one.every((level, index) => level === other[index])
}

function isLayer(weight: { readonly shape: readonly number[] }): boolean {
  return weight.shape.length === 4
}

function decoded(codec: (typeof codecs)[number], reader: ByteReader, shape: TensorShape): unknown {
  try {
    const tensor: PackedTensor = codec.decode(reader, shape)
    reader.expectEnd()
    return tensor
  } catch (error) {
    if (error instanceof SternaError && error.code.startsWith('file/')) return 'error'
    throw error
  }
}

function shapeOf(dims: readonly number[]): TensorShape {
  return { dims, elements: dims.reduce((product, size) => product * size, 1), filters: dims[0] ?? 1 }
}

function ternary({ dims: shape }: TensorShape, assignment: Int8Array) {
  const [positive, negative] = [Float32Array.of(0.5), Float32Array.of(0.25)]
  return { kind: 'ternary', shape, assignment, positive, negative } as const
}

function randomLevels(random: Random, count: number, zeros: number): Int8Array {
  return Int8Array.from({ length: count }, () => (random.uniform() < zeros ? 0 : random.below(2) * 2 - 1))
}
