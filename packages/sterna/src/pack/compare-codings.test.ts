import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { readSterna, type TernaryTensor } from 'sterna-runtime'
import { Random } from '../core/index.ts'
import { compareCodings, diffSterna, measureCodings, storedAssignment } from './index.ts'
import { writeSterna } from './write-sterna.ts'

test('the other formats take what their rules say', () => {
  const { codings, zeros, weights, entropyBytes } = compareCodings(sparse(0.9), {
    gzip: bytes => gzipSync(bytes).length,
  })
  const bytes = Object.fromEntries(codings.map(coding => [coding.name, coding.bytes]))
  const nonZeros = weights - zeros
  assert.equal(bytes['2-bit'], weights / 4)
  assert.equal(bytes.TQ1_0, (weights * 1.6875) / 8)
  assert.equal(bytes['mask + sign'], Math.ceil((weights + nonZeros) / 8))
  assert.equal(bytes.CSR, Math.ceil((17 * nonZeros + 16 * 65 + 32) / 8))
  assert.equal(bytes.CER, Math.ceil((16 * nonZeros + 32 * 65 + 32) / 8))
  // Every row of this one has both signs.
  assert.equal(bytes.CSER, Math.ceil((16 * nonZeros + 17 * 128 + 16 * 65 + 32) / 8))
  assert.ok(bytes.small! < bytes.gzip! && bytes.small! < bytes['mask + sign']!)
  assert.ok(bytes.small! <= 1.002 * entropyBytes + 16)
  assert.ok(bytes.max! <= bytes.small! && bytes.small! <= bytes.plain!)
})

test('what is measured is what is compared, and every profile is timed', () => {
  const tensor = sparse(0.7)
  const { weights, entropyBytes, profiles, copiedPerSecond } = measureCodings([tensor, tensor], 1)
  const compared = compareCodings(tensor)
  assert.equal(weights, 2 * compared.weights)
  assert.equal(entropyBytes, 2 * compared.entropyBytes)
  for (const { profile, bytes, ratio, encodedPerSecond, decodedPerSecond } of profiles) {
    assert.equal(bytes, 2 * compared.codings.find(coding => coding.name === profile)!.bytes)
    assert.equal(ratio, bytes / entropyBytes)
    assert.ok(encodedPerSecond > 0 && decodedPerSecond > 0 && copiedPerSecond > decodedPerSecond)
  }
})

test('a tensor with turned filters is compared as its file stores it', () => {
  const weight = sparse(0.8)
  const scale = Float32Array.from({ length: 64 }, (_, filter) => (filter % 2 === 0 ? 1 : -1))
  const factors = { positive: 0.5, negative: 0.25, scale }
  const turned = weight.assignment.map((level, index) => level * scale[Math.floor(index / 256)]!)
  const folded = { ...weight, assignment: turned, factors }
  assert.deepEqual(storedAssignment(folded), weight.assignment)
  assert.deepEqual(compareCodings(folded), compareCodings(weight))
})

test('a file does not differ from itself', () => {
  const file = fileOf(sparse(0.5))
  const diff = diffSterna(file, file)
  assert.ok(diff.isSame && !diff.metadataChanged)
  assert.deepEqual(diff.structure, [])
})

test('an attribute that changed is named with both values', () => {
  const diff = diffSterna(fileOf(sparse(0.5)), fileOf(sparse(0.5), 'Relu', 2))
  assert.deepEqual(diff.structure, ['node "fc", alpha: 1 → 2'])
  assert.equal(diff.isSame, false)
})

test('flipped levels, zeros, bytes and structure are counted', () => {
  const before = sparse(0.5)
  const assignment = before.assignment.slice()
  const [zero, positive] = [assignment.indexOf(0), assignment.indexOf(1)]
  assignment[zero] = 1
  assignment[positive] = -1
  assignment[assignment.indexOf(-1, positive + 1)] = 0
  const diff = diffSterna(fileOf(before), fileOf({ ...before, assignment }, 'Tanh'))
  assert.equal(diff.isSame, false)
  assert.deepEqual(diff.structure, ['node 1: Relu "Relu#1" → Tanh "Tanh#1"'])
  const [tensor] = diff.tensors
  assert.equal(tensor!.change, 'values')
  assert.deepEqual(tensor!.flipped, { toZero: 1, fromZero: 1, signs: 1 })
  assert.equal(tensor!.zeros[0], tensor!.zeros[1])
  assert.equal(tensor!.largestDifference, 0.75)
})

function sparse(zeros: number): TernaryTensor {
  const random = new Random(3)
  return {
    kind: 'ternary',
    shape: [64, 256],
    assignment: Int8Array.from({ length: 64 * 256 }, () =>
      random.uniform() < zeros ? 0 : random.below(2) * 2 - 1,
    ),
    positive: Float32Array.of(0.5),
    negative: Float32Array.of(0.25),
  }
}

function fileOf(weight: TernaryTensor, activation: 'Relu' | 'Tanh' = 'Relu', alpha = 1) {
  return readSterna(
    writeSterna({
      name: 'one layer',
      inputs: [{ name: 'x', shape: [1, 256] }],
      outputs: ['y'],
      nodes: [
        {
          op: 'Gemm',
          name: 'fc',
          inputs: ['x', 'w'],
          outputs: ['h'],
          attributes: { alpha, beta: 1, transA: false, transB: true },
        },
        { op: activation, name: 'activation', inputs: ['h'], outputs: ['y'], attributes: {} },
      ],
      tensors: new Map([['w', weight]]),
      metadata: {},
    }),
  )
}
