import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { f32, Random, SternaError, type Tensor, tensor } from '../core/index.ts'
import {
  assertRefusesTruncation,
  assertSurvivesMutation,
  describeTensors,
  expected,
  fixture,
  randomTensor,
} from './fixtures.node.ts'
import { readSafetensors, writeSafetensors } from './safetensors.ts'

const anyTensor = fc.nat().map(seed => randomTensor(new Random(seed)))

/** A file from a header written by hand. */
function fileOf(header: string | object, bodyBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.length + bodyBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

function entry(shape: readonly unknown[], start: number, end: number, dtype = 'F32') {
  return { dtype, shape, data_offsets: [start, end] }
}

test('a file with every element type is read as it was written by another program', () => {
  const { tensors, metadata } = readSafetensors(fixture('all-types.safetensors'))
  assert.deepEqual(describeTensors(tensors), expected['all-types.safetensors'])
  assert.deepEqual(metadata, { 'made by': 'make-fixtures.py', ümlaut: '"quoted"' })
})

test('what is written is read again, names and metadata of any text included', () => {
  const named = fc.dictionary(
    fc.string().filter(name => name !== '__metadata__'),
    anyTensor,
    { maxKeys: 5 },
  )
  fc.assert(
    fc.property(named, fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), (values, metadata) => {
      const tensors = new Map(Object.entries(values))
      const read = readSafetensors(writeSafetensors(tensors, metadata))
      assert.deepEqual(new Map([...read.tensors].sort()), new Map([...tensors].sort()))
      assert.deepEqual({ ...read.metadata }, { ...metadata })
    }),
    { seed: 1, numRuns: 300 },
  )
})

test('the order in which tensors and metadata are given leaves no trace', () => {
  const entries: [string, Tensor][] = [
    ['b', f32([2], [1, 2])],
    ['10', tensor('u8', [1], Uint8Array.of(7))],
    ['9', tensor('i64', [1], BigInt64Array.of(-1n))],
    ['a', f32([], [3])],
  ]
  const bytes = writeSafetensors(new Map(entries), { z: '1', a: '2' })
  assert.deepEqual(writeSafetensors(new Map(entries.toReversed()), { a: '2', z: '1' }), bytes)
  assert.deepEqual([...readSafetensors(bytes).tensors.keys()], ['9', 'a', 'b', '10'])
  assert.equal((bytes.length - (8 + 4 + 8 + 1)) % 8, 0, 'the body begins at a multiple of 8')
})

test('data of a view at an odd offset is read and written', () => {
  const odd = new Uint8Array(1 + fixture('all-types.safetensors').length)
  odd.set(fixture('all-types.safetensors'), 1)
  assert.deepEqual(
    describeTensors(readSafetensors(odd.subarray(1)).tensors),
    expected['all-types.safetensors'],
  )
  const part = new Float32Array([1, 2, 3]).subarray(1, 2)
  assert.deepEqual(
    readSafetensors(writeSafetensors(new Map([['x', f32([1], part)]]))).tensors.get('x'),
    f32([1], [2]),
  )
})

describe('a header that does not hold is refused', () => {
  const cases: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
    ['length beyond the cap', new Uint8Array([0, 0, 0, 0, 1, 0, 0, 0]), 'file/limit', /4294967296 bytes/],
    ['length beyond any number', new Uint8Array(8).fill(255), 'file/limit', /18446744073709551615/],
    ['not JSON', fileOf('{"a":'), 'file/damaged', /not JSON/],
    ['space before it', fileOf(' {}'), 'file/damaged', /not a JSON object/],
    ['a list', fileOf('[]'), 'file/damaged', /not a JSON object/],
    ['a name twice', fileOf(String.raw`{"a":{},"\u0061":{}}`), 'file/damaged', /names "a" twice/],
    ['a field twice', fileOf('{"a":{"dtype":"F32","dtype":"F64"}}'), 'file/damaged', /names "dtype" twice/],
    [
      'an unknown field',
      fileOf({ a: { ...entry([], 0, 4), more: 1 } }, 4),
      'file/damaged',
      /unknown field "more"/,
    ],
    ['an unknown type', fileOf({ a: entry([1], 0, 1, 'F8_E4M3') }, 1), 'file/unsupported', /F8_E4M3/],
    [
      'a type from the prototype',
      fileOf({ a: entry([1], 0, 1, 'toString') }, 1),
      'file/unsupported',
      /toString/,
    ],
    ['a negative size', fileOf({ a: entry([-1], 0, 4) }, 4), 'file/damaged', /no valid shape/],
    ['a broken size', fileOf({ a: entry([0.5], 0, 2) }, 2), 'file/damaged', /no valid shape/],
    [
      'a size beyond 2⁵³',
      fileOf({ a: entry([2 ** 30, 2 ** 30], 0, 4) }, 4),
      'file/damaged',
      /no valid shape/,
    ],
    ['size and offsets apart', fileOf({ a: entry([2], 0, 4) }, 4), 'file/damaged', /takes 8 bytes.*span 4/],
    ['offsets backwards', fileOf({ a: entry([1], 4, 0) }, 4), 'file/damaged', /span -4/],
    [
      'an overlap',
      fileOf({ a: entry([2], 0, 8), b: entry([1], 4, 8) }, 8),
      'file/damaged',
      /"b" begins at 4.*overlaps/,
    ],
    ['a hole', fileOf({ a: entry([1], 0, 4), b: entry([1], 8, 12) }, 12), 'file/damaged', /hole/],
    ['bytes left over', fileOf({ a: entry([1], 0, 4) }, 5), 'file/damaged', /1 bytes after the last tensor/],
    ['a body too short', fileOf({ a: entry([2], 0, 8) }, 7), 'file/truncated', /describes 8 bytes.*has 7/],
    ['metadata that is no text', fileOf({ __metadata__: { a: 1 } }), 'file/damaged', /not a string/],
    [
      'a bool of 2',
      fileOf({ a: entry([1], 0, 1, 'BOOL') }, 1).with(-1, 2),
      'file/damaged',
      /a bool with value 2/,
    ],
  ]
  for (const [title, bytes, code, message] of cases) {
    test(title, () => {
      assert.throws(
        () => readSafetensors(bytes),
        (error: unknown) =>
          error instanceof SternaError && error.code === code && message.test(error.message),
      )
    })
  }
})

test('a name like "__proto__" is a name like any other', () => {
  const bytes = fileOf(
    `{"__metadata__":{"__proto__":"x"},"__proto__":${JSON.stringify(entry([1], 0, 4))}}`,
    4,
  )
  const { tensors, metadata } = readSafetensors(bytes)
  assert.deepEqual([...tensors.keys()], ['__proto__'])
  assert.equal(Object.getOwnPropertyDescriptor(metadata, '__proto__')?.value, 'x')
})

test('a hundred thousand tensors take no time worth speaking of', () => {
  const tensors = new Map(Array.from({ length: 100_000 }, (_, i) => [`layer.${i}`, f32([0])]))
  const startedMs = performance.now()
  assert.equal(readSafetensors(writeSafetensors(tensors)).tensors.size, 100_000)
  assert.ok(performance.now() - startedMs < 5000)
})

test('a file cut short anywhere is refused', () => {
  assertRefusesTruncation(readSafetensors, fixture('all-types.safetensors'))
})

test('a damaged file gives a result or a SternaError', () => {
  assertSurvivesMutation(readSafetensors, fixture('all-types.safetensors'))
})
