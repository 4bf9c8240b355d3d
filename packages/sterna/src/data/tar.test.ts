import assert from 'node:assert/strict'
import test from 'node:test'
import { SternaError } from '../core/index.ts'
import { readTar } from './tar.ts'

/** One entry as ustar: header, content, padding. */
function entry(name: string, content: string, options: { type?: string; prefix?: string } = {}): Uint8Array {
  const bytes = new TextEncoder().encode(content)
  const block = new Uint8Array(512 + Math.ceil(bytes.length / 512) * 512)
  const put = (text: string, offset: number) => block.set(new TextEncoder().encode(text), offset)
  put(name, 0)
  put(bytes.length.toString(8).padStart(11, '0'), 124)
  put('        ', 148)
  put(options.type ?? '0', 156)
  put('ustar\u000000', 257)
  put(options.prefix ?? '', 345)
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148)
  block.set(bytes, 512)
  return block
}

function archive(...blocks: Uint8Array[]): Uint8Array {
  return Uint8Array.from([...blocks, new Uint8Array(1024)].flatMap(block => [...block]))
}

const small = archive(
  entry('folder/', '', { type: '5' }),
  entry('a.txt', 'first'),
  entry('pax', '20 path=elsewhere\n', { type: 'x' }),
  entry('b.txt', 'x'.repeat(700), { prefix: 'deep/er' }),
)

test('regular files come out in order, folders and extended headers do not', () => {
  const entries = readTar(small).map(({ name, bytes }) => [name, new TextDecoder().decode(bytes)])
  assert.deepEqual(entries, [
    ['a.txt', 'first'],
    ['deep/er/b.txt', 'x'.repeat(700)],
  ])
})

test('a truncated archive says where it ends', () => {
  for (const length of [0, 100, 1024, 1026, 2900, 4096]) {
    assert.throws(
      () => readTar(small.subarray(0, length)),
      (error: unknown) => error instanceof SternaError && error.code === 'file/truncated',
      `${length} bytes`,
    )
  }
})

test('a damaged header is refused, whichever of its bytes is wrong', () => {
  for (let i = 0; i < 512; i++) {
    const damaged = small.slice()
    damaged[512 + i]! ^= 1
    try {
      readTar(damaged)
      // A blank in the checksum field may become another that counts the same.
      assert.ok(i >= 148 && i < 156, `byte ${i} went unnoticed`)
    } catch (error) {
      assert.ok(error instanceof SternaError, `byte ${i}: ${error}`)
    }
  }
})
