import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load, type PackedModel, readSterna, readSternaStream } from 'sterna-runtime'
import { Random, SternaError } from '../core/index.ts'
import { writeSterna } from './write-sterna.ts'

const preview = { mediaType: 'text/plain', bytes: Uint8Array.of(0x3a, 0x29) }
const whole = writeSterna({ ...smallModel(), preview })

test('whatever pieces a file arrives in, the same is read as from the whole', async () => {
  const expected = readSterna(whole)
  assert.deepEqual(expected.model.preview, preview)
  const random = new Random(1)
  for (const largest of [1, 2, 7, 60, 400, whole.length]) {
    const pieces = cut(whole, () => 1 + random.below(largest))
    assert.deepEqual(await readSternaStream(iterated(pieces)), expected)
    assert.deepEqual(await readSternaStream(new Blob(pieces).stream()), expected)
    const [one, other] = [streamed(pieces), streamed(pieces)]
    assert.deepEqual(await readSternaStream(one), expected)
    Object.defineProperty(other, Symbol.asyncIterator, { value: undefined })
    assert.deepEqual(await readSternaStream(other), expected)
  }
})

test('a session loads from a stream what it loads from bytes', async () => {
  const input = Float32Array.from({ length: 64 }, (_, index) => index / 64)
  const [fromBytes, fromStream] = [await load(whole), await load(streamed(cut(whole, () => 33)))]
  assert.deepEqual(fromStream.run(input), fromBytes.run(input))
  await assert.rejects(load(7 as never), hasCode('usage/input'))
})

test('any bit turned and any length cut off is an error in a stream as well', async () => {
  const random = new Random(2)
  for (let round = 0; round < 1500; round++) {
    const changed = whole.slice()
    changed[random.below(whole.length)]! ^= 1 << random.below(8)
    await assert.rejects(readSternaStream(iterated(cut(changed, () => 1 + random.below(100)))), isFileError)
  }
  for (let length = 0; length < whole.length; length++) {
    const expected = length < 8 ? isFileError : hasCode('file/truncated')
    await assert.rejects(readSternaStream(iterated(cut(whole.slice(0, length), () => 50))), expected)
  }
})

test('a damaged payload is named as damaged in transfer, not by what its weights no longer make', async () => {
  const changed = whole.slice()
  const { sections } = readSterna(whole).account
  const payload = sections.slice(0, 3).reduce((sum, part) => sum + part.bytes, 0)
  changed[payload + 20]! ^= 0xff
  await assert.rejects(readSternaStream(iterated(cut(changed, () => 9))), /payload section.*checksum/)
})

test('a stream is read no further than to the first damage, and told so', async () => {
  for (const [at, last] of [
    [0, 0],
    [14, 0],
    [100, 1],
  ] as const) {
    const changed = whole.slice()
    changed[at]! ^= 1
    let pulled = -1
    let cancelled = false
    const pieces = cut(changed, () => 100)
    const stream = new ReadableStream<Uint8Array>(
      {
        pull: controller => controller.enqueue(pieces[++pulled]!),
        cancel: () => {
          cancelled = true
        },
      },
      { highWaterMark: 0 },
    )
    await assert.rejects(readSternaStream(stream), isFileError)
    assert.ok(cancelled && pulled <= last + 1, `byte ${at}: ${pulled} pieces`)
  }
})

test('a stream without end is refused, before and behind a file', async () => {
  async function* endless(start: Uint8Array) {
    yield start
    for (;;) yield new Uint8Array(1000)
  }
  await assert.rejects(readSternaStream(endless(new Uint8Array(0))), hasCode('file/bad-magic'))
  await assert.rejects(readSternaStream(endless(whole)), hasCode('file/damaged'))
})

test('a stream that fails, or holds no bytes, fails the reader with it', async () => {
  const failing = async function* () {
    yield whole.subarray(0, 90)
    throw new TypeError('network lost')
  }
  await assert.rejects(readSternaStream(failing()), /network lost/)
  await assert.rejects(readSternaStream(iterated(['text'] as never)), hasCode('usage/input'))
})

test('a preview is refused where it is empty, too large or of no media type', () => {
  const write = (mediaType: string, bytes: Uint8Array) => () =>
    writeSterna({ ...smallModel(), preview: { mediaType, bytes } })
  for (const type of ['', 'png', 'image/', 'image/PNG', 'text/plain; charset=utf-8', 'a/b/c']) {
    assert.throws(write(type, Uint8Array.of(1)), hasCode('usage/input'), type)
  }
  assert.throws(write('image/png', new Uint8Array(0)), hasCode('usage/input'))
  assert.throws(write('image/png', new Uint8Array(65_537)), hasCode('usage/input'))
  assert.equal(readSterna(write('image/png', new Uint8Array(65_536))()).model.preview!.bytes.length, 65_536)
})

async function* iterated(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}

function streamed(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
}

function cut(bytes: Uint8Array, length: () => number): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  for (let start = 0; start < bytes.length; ) {
    const piece = bytes.slice(start, start + length())
    pieces.push(piece)
    start += piece.length
  }
  return pieces
}

/** Two layers, so that the first is decoded while the second is on its way. */
function smallModel(): PackedModel {
  const random = new Random(3)
  const weight = (filters: number, inputs: number) =>
    ({
      kind: 'ternary',
      shape: [filters, inputs],
      assignment: Int8Array.from({ length: filters * inputs }, () => Math.max(-1, random.below(6) - 4)),
      positive: Float32Array.of(0.5),
      negative: Float32Array.of(0.25),
    }) as const
  const gemm = { alpha: 1, beta: 1, transA: false, transB: true }
  return {
    name: 'two layers',
    inputs: [{ name: 'x', shape: [1, 64] }],
    outputs: ['y'],
    nodes: [
      { op: 'Gemm', name: 'one', inputs: ['x', 'w1'], outputs: ['h'], attributes: gemm },
      { op: 'Gemm', name: 'two', inputs: ['h', 'w2'], outputs: ['y'], attributes: gemm },
    ],
    tensors: new Map([
      ['w1', weight(32, 64)],
      ['w2', weight(10, 32)],
    ]),
    metadata: { licence: 'MIT' },
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof SternaError && error.code.startsWith('file/')
}

function hasCode(code: string): (error: unknown) => boolean {
  return error => error instanceof SternaError && error.code === code
}
