import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zipSync } from 'fflate'
import { SternaError } from '../core/index.ts'
import { readZip, writeZip } from './zip.ts'

const text = (value: string) => new TextEncoder().encode(value)

test('entries written are read again, by us and as others deflate them', () => {
  const entries = new Map([
    ['a/b.txt', text('hello')],
    ['ü', new Uint8Array(0)],
    ['zeros', new Uint8Array(5000)],
  ])
  const others = zipSync(Object.fromEntries(entries))
  for (const bytes of [writeZip(entries), others]) {
    const archive = readZip(bytes)
    assert.deepEqual([...archive.names].sort(), [...entries.keys()].sort())
    for (const [name, content] of entries) assert.deepEqual(archive.read(name), content)
    assert.throws(() => archive.read('c'), /no entry "c"/)
  }
})

test('a comment behind the directory does not hide it', () => {
  const bytes = writeZip(new Map([['a', text('hello')]]))
  const commented = Uint8Array.from([...bytes, ...text('note')])
  commented[bytes.length - 2] = 4
  assert.deepEqual(readZip(commented).read('a'), text('hello'))
})

test('a changed byte of the content is noticed', () => {
  const bytes = writeZip(new Map([['a', text('hello')]]))
  bytes[31] = bytes[31]! ^ 1
  assert.throws(() => readZip(bytes).read('a'), /checksum/)
})

test('two entries that share their bytes are refused', () => {
  const bytes = writeZip(
    new Map([
      ['a', text('hello')],
      ['b', text('hello')],
    ]),
  )
  const directory = bytes.lastIndexOf(0x62) - 46
  new DataView(bytes.buffer).setUint32(directory + 42, 0, true)
  assert.throws(() => readZip(bytes), /overlaps/)
})

test('an entry that declares more than its bytes can expand to is refused before memory is taken', () => {
  const bytes = zipSync({ a: new Uint8Array(1000) })
  const directory = bytes.lastIndexOf(0x61) - 46
  new DataView(bytes.buffer).setUint32(directory + 24, 0xffff_fff0, true)
  assert.throws(() => readZip(bytes).read('a'), /cannot hold the declared 4294967280/)
})

test('a stream that expands to more or less than declared is refused', () => {
  for (const declared of [999, 1001]) {
    const bytes = zipSync({ a: new Uint8Array(1000) })
    new DataView(bytes.buffer).setUint32(bytes.lastIndexOf(0x61) - 46 + 24, declared, true)
    assert.throws(() => readZip(bytes).read('a'), SternaError)
  }
})
