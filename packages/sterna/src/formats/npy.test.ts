import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random, SternaError } from '../core/index.ts'
import {
  assertRefusesTruncation,
  assertSurvivesMutation,
  describeTensor,
  describeTensors,
  expected,
  fixture,
  fixtureNames,
  randomTensor,
} from './fixtures.node.ts'
import { readNpy, writeNpy } from './npy.ts'
import { readNpz, writeNpz } from './npz.ts'

const refusedFixtures: Readonly<Record<string, RegExp>> = {
  'big-endian.npy': />f4/,
  'structured.npy': /header's "descr" is not plain text/,
  'objects.npy': /\|O/,
}

function npyOf(header: string, body = new Uint8Array(0)): Uint8Array {
  const text = new TextEncoder().encode(header)
  return Uint8Array.from([
    0x93,
    ...new TextEncoder().encode('NUMPY'),
    1,
    0,
    text.length & 255,
    text.length >> 8,
    ...text,
    ...body,
  ])
}

for (const name of fixtureNames('.npy')) {
  const reason = refusedFixtures[name]
  if (reason) {
    test(`${name} is refused and the message says why`, () => {
      assert.throws(
        () => readNpy(fixture(name)),
        (error: unknown) => error instanceof SternaError && reason.test(error.message),
      )
    })
  } else {
    test(`${name} is read as NumPy wrote it`, () => {
      assert.deepEqual(describeTensor(readNpy(fixture(name))), expected[name]?.[''])
    })
  }
}

for (const name of fixtureNames('.npz')) {
  test(`${name} is read as NumPy wrote it`, () => {
    assert.deepEqual(describeTensors(readNpz(fixture(name))), expected[name])
  })
}

test('a version 1 array in row-major order is written as NumPy writes it', () => {
  for (const name of ['float32.npy', 'bool.npy', 'scalar.npy', 'vector.npy', 'empty.npy']) {
    // NumPy since 1.14 leaves room for the first size to grow; the rest of the header is the same.
    const trimmed = (bytes: Uint8Array) =>
      new TextDecoder('latin1').decode(bytes.subarray(10)).replace(/ +\n/, '\n')
    assert.equal(trimmed(writeNpy(readNpy(fixture(name)))), trimmed(fixture(name)), name)
  }
})

test('every tensor written is read again', () => {
  for (let seed = 0; seed < 300; seed++) {
    const value = randomTensor(new Random(seed))
    assert.deepEqual(readNpy(writeNpy(value)), value, `seed ${seed}`)
  }
})

test('an archive written is read again, and its bytes do not depend on the order given', () => {
  const arrays = readNpz(fixture('stored.npz'))
  const bytes = writeNpz(arrays)
  assert.deepEqual(readNpz(bytes), arrays)
  assert.deepEqual(writeNpz(new Map([...arrays].toReversed())), bytes)
})

test('headers that do not hold are refused', () => {
  const good = `{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n`
  assert.equal(readNpy(npyOf(good, new Uint8Array(4))).data.length, 1)
  const bad = [
    good.replace('(1,)', '(-1,)'),
    good.replace('(1,)', '(99999999999,)'),
    good.replace('(1,)', '(4294967296, 4294967296, 4294967296)'),
    good.replace('(1,)', `(${'1, '.repeat(70)})`),
    good.replace('(1,)', '(1'),
    good.replace('False', '0'),
    good.replace("'fortran_order': False, ", ''),
    good.replace("'descr'", "'shape'"),
    `${good}x`,
    good.replace('}', ''),
    '',
    '{}',
    "{'descr':".repeat(1000),
  ]
  for (const header of bad) {
    assert.throws(() => readNpy(npyOf(header, new Uint8Array(4))), SternaError, header.slice(0, 80))
  }
  assert.throws(() => readNpy(npyOf(good, new Uint8Array(5))), /1 bytes after the array/)
})

test('files cut short anywhere are refused', () => {
  for (const name of ['float32.npy', 'version2.npy', 'scalar.npy'])
    assertRefusesTruncation(readNpy, fixture(name))
  for (const name of ['stored.npz', 'deflated.npz']) assertRefusesTruncation(readNpz, fixture(name))
})

test('damaged files give a result or a SternaError', () => {
  assertSurvivesMutation(readNpy, fixture('fortran.npy'))
  assertSurvivesMutation(readNpz, fixture('stored.npz'))
  assertSurvivesMutation(readNpz, fixture('deflated.npz'))
})
