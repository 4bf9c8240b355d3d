import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TermsTensor, TernaryTensor } from 'sterna-runtime'
import { sumOf } from 'sterna-runtime/format'
import { expectF32, f32, Random, SternaError, sizeOf } from '../core/index.ts'
import { GraphBuilder, type Model } from '../graph/index.ts'
import { chooseTuning } from './choose-tuning.ts'
import { detectTerms } from './detect-terms.ts'
import { encodeTensor } from './encode-tensor.ts'
import { entropyBits, packModel, writeSterna } from './index.ts'

test('a weight with up to four levels on a side is recognised, and no other', () => {
  const weight = (values: readonly number[]) =>
    f32(
      [256],
      Float32Array.from({ length: 256 }, (_, index) => values[index % values.length]!),
    )
  assert.deepEqual(detectTerms(weight([0, 0.5, -0.25, 0.75, -1])), {
    positive: [0.5, 0.25],
    negative: [0.25, 0.75],
  })
  assert.deepEqual(detectTerms(weight([0, 1, 2, 4, 8])), { positive: [1, 1, 2, 4], negative: [0, 0, 0, 0] })
  assert.equal(detectTerms(weight([0, 0.5, -0.25])), undefined, 'ternary')
  assert.equal(detectTerms(weight([1, 2, 3, 4, 5])), undefined, 'five levels')
  assert.equal(detectTerms(weight([0, 1, Number.NaN, 2])), undefined)
  assert.equal(detectTerms(f32([4], Float32Array.of(0, 1, 2, -1))), undefined, 'few weights')
})

test('a network of residual expansion is packed as sums of terms, with batch norm folded into their scales', () => {
  const { model, shape } = expandedModel()
  const { bytes, packed } = packModel(model, new Map(), { dense: 'f16', metadata: {} })
  const weight = packed.tensors.get('conv.weight')!
  assert.ok(weight.kind === 'dense' && weight.storage === 'terms' && weight.terms.length === 2)
  const [gamma, data] = ['gamma', 'w'].map(name => expectF32(model.parameters.get(name)!, name).data) as [
    Float32Array,
    Float32Array,
  ]
  const perFilter = sizeOf(shape) / shape[0]!
  for (let index = 0; index < data.length; index++) {
    const scale = gamma[Math.floor(index / perFilter)]! / Math.sqrt(1 + 1e-5)
    const expected = data[index]! * scale
    assert.ok(Math.abs(weight.data[index]! - expected) <= 1e-3 * Math.abs(expected), `${index}`)
  }
  assert.deepEqual(writeSterna(packed), bytes)
})

test('the second term costs little where the first is known', () => {
  const [one, two] = nestedTerms([32, 16, 3, 3], 1)
  const size = (tensor: TernaryTensor | TermsTensor) => encodeTensor(tensor, 'w', 'small').payload.length
  const sum = sumOf([one!, two!]) as TermsTensor
  const alone = size(one!) + entropyBits(two!.assignment) / 8
  assert.ok(size(sum) < 0.85 * alone, `${size(sum)} bytes, ${alone} without context`)
  for (const profile of ['plain', 'fast', 'small', 'max'] as const) {
    assert.equal(encodeTensor(sum, 'w', profile).codec.name, 'tuned')
  }
})

test('terms that do not belong together are refused', () => {
  const [one, two] = nestedTerms([8, 8], 2)
  const sum = sumOf([one!, two!]) as TermsTensor
  const wrong: readonly Partial<TermsTensor>[] = [
    { terms: [one!] },
    { terms: [one!, one!, one!, one!, one!] },
    { terms: [one!, { ...two!, shape: [4, 16] }] },
    { terms: [one!, { ...two!, positive: new Float32Array(8).fill(0.25), negative: new Float32Array(8) }] },
    { data: sum.data.map(value => value + 1) },
  ]
  for (const change of wrong) {
    assert.throws(
      () => encodeTensor({ ...sum, ...change }, 'w', 'small'),
      (error: unknown) => error instanceof SternaError && error.code === 'tensor/invalid',
    )
  }
})

test('depthwise kernels and matrices get contexts of their own, which make them smaller', () => {
  const random = new Random(3)
  const ring = [0.1, 0.7, 0.1, 0.7, 0.95, 0.7, 0.1, 0.7, 0.1]
  const depthwise = Int8Array.from({ length: 128 * 9 }, (_, index) =>
    random.uniform() < ring[index % 9]! ? random.below(2) * 2 - 1 : 0,
  )
  const matrix = Int8Array.from({ length: 64 * 64 }, (_, index) =>
    random.uniform() < (index % 64 < 8 ? 0.8 : 0.15) ? random.below(2) * 2 - 1 : 0,
  )
  for (const [dims, assignment, set, share] of [
    [[128, 1, 3, 3], depthwise, 'kernel', 0.9],
    [[64, 64], matrix, 'matrix', 0.92],
  ] as const) {
    const stored = {
      shape: { dims, elements: assignment.length, filters: dims[0] },
      layout: 'tensor' as const,
      magnitudes: Uint16Array.of(0x3c00, 0x3c00),
      assignment,
    }
    assert.equal(chooseTuning(stored, false).set, set)
    const ones = Float32Array.of(1)
    const tensor = { kind: 'ternary', shape: dims, assignment, positive: ones, negative: ones } as const
    const { codec, payload } = encodeTensor(tensor, 'w', 'small')
    assert.equal(codec.name, 'tuned')
    assert.ok(payload.length < (share * entropyBits(assignment)) / 8, `${set}: ${payload.length} bytes`)
  }
})

/** Two terms whose masks are nested. */
function nestedTerms(shape: readonly number[], seed: number): readonly TernaryTensor[] {
  const random = new Random(seed)
  const draws = Array.from(
    { length: sizeOf(shape) },
    () => [random.uniform(), random.below(2) * 2 - 1] as const,
  )
  return [0.5, 0.2].map((density, term) => ({
    kind: 'ternary',
    shape,
    assignment: Int8Array.from(draws, ([draw, sign]) => (draw < density ? sign : 0)),
    positive: Float32Array.of(0.5 / (term + 1)),
    negative: Float32Array.of(0.25),
  }))
}

/** A convolution whose weight has five values, and batch norm with scales of either sign. */
function expandedModel(): { readonly model: Model; readonly shape: readonly number[] } {
  const shape = [16, 8, 3, 3]
  const { data } = sumOf(nestedTerms(shape, 4)) as TermsTensor
  const b = new GraphBuilder('expanded')
  const x = b.input('x', [1, 8, 6, 6])
  const filters = (name: string) => b.parameter(name, [16])
  const attributes = { strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1], groups: 1 } as const
  const [c] = b.append('Conv', [x, b.parameter('w', shape)], attributes, 'conv')
  const norm = { epsilon: 1e-5, momentum: 0.9 }
  const inputs = [c!, filters('gamma'), filters('beta'), filters('mean'), filters('variance')]
  const [y] = b.append('BatchNormalization', inputs, norm, 'norm')
  const per = (value: (filter: number) => number) =>
    f32(
      [16],
      Float32Array.from({ length: 16 }, (_, f) => value(f)),
    )
  const parameters = new Map([
    ['w', f32(shape, data)],
    ['gamma', per(f => (f % 3 === 1 ? -0.7 : 0.5) + f / 40)],
    ['beta', per(f => f / 8)],
    ['mean', per(() => 0.25)],
    ['variance', per(() => 1)],
  ])
  return { model: { graph: b.build([y!]), parameters }, shape }
}
