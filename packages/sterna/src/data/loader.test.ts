import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SternaError } from '../core/index.ts'
import {
  type Batch,
  createGlyphs,
  createLoader,
  type LabelledImages,
  type LoaderOptions,
  splitDataset,
} from './index.ts'

const glyphs = createGlyphs({ train: 130, test: 10 })
const { train } = splitDataset(glyphs, { validation: 23, seed: 3 })
const shuffled: LoaderOptions = {
  images: train,
  imageShape: glyphs.imageShape,
  normalization: glyphs.normalization,
  batchSize: 16,
  seed: 5,
  shuffle: true,
  augmentation: { pad: 2, flip: true },
}

interface Copy {
  readonly x: Float32Array
  readonly labels: Int32Array
  readonly place: string
}

function copy({ x, labels, epoch, batch, last }: Batch): Copy {
  return { x: x.slice(), labels: labels.slice(), place: `${epoch}/${batch}${last ? ' last' : ''}` }
}

async function take(options: LoaderOptions, count: number): Promise<Copy[]> {
  const loader = createLoader(options)
  const batches: Copy[] = []
  for (let i = 0; i < count; i++) batches.push(copy(await loader.next()))
  return batches
}

/** An image whose pixel values are its positions: 1 channel, 4 × 5. */
const ramp: LabelledImages = {
  images: Uint8Array.from({ length: 20 }, (_, i) => i + 1),
  labels: Uint8Array.of(0),
  count: 1,
}
const rampOptions: LoaderOptions = {
  images: ramp,
  imageShape: [1, 4, 5],
  normalization: { mean: [0], std: [1 / 255] },
  batchSize: 1,
  seed: 1,
}

test('an epoch hands out every image once, the last batch being shorter', async () => {
  const loader = createLoader({ ...shuffled, images: glyphs.train, batchSize: 50 })
  assert.equal(loader.batchesPerEpoch, 3)
  assert.equal(loader.samplesPerEpoch, 130)
  const sizes: number[] = []
  const labels: number[] = []
  for (let i = 0; i < 3; i++) {
    const batch = await loader.next()
    assert.equal(batch.x.length, batch.labels.length * 784)
    assert.equal(batch.last, i === 2)
    sizes.push(batch.labels.length)
    labels.push(...batch.labels)
  }
  assert.deepEqual(sizes, [50, 50, 30])
  assert.deepEqual(
    labels.sort((a, b) => a - b),
    [...glyphs.train.labels].sort((a, b) => a - b),
  )
  assert.deepEqual(loader.position, { epoch: 1, batch: 0 })
})

test('dropLast leaves out the batch that would be shorter', async () => {
  const loader = createLoader({ ...shuffled, images: glyphs.train, batchSize: 50, dropLast: true })
  assert.equal(loader.batchesPerEpoch, 2)
  assert.equal(loader.samplesPerEpoch, 100)
  await loader.next()
  assert.equal((await loader.next()).last, true)
  assert.equal((await loader.next()).epoch, 1)
})

test('without shuffling images come in their order, normalised as float32', async () => {
  const loader = createLoader({
    ...shuffled,
    images: glyphs.test,
    shuffle: false,
    augmentation: { pad: 0, flip: false },
  })
  const { x, labels } = await loader.next()
  assert.deepEqual([...labels], [...glyphs.test.labels])
  const [mean, std] = [Math.fround(glyphs.normalization.mean[0]!), Math.fround(glyphs.normalization.std[0]!)]
  for (let i = 0; i < x.length; i++) {
    const pixel = Math.fround(glyphs.test.images[i]! / 255)
    assert.equal(x[i], Math.fround(Math.fround(pixel - mean) / std))
  }
})

test('every epoch has an order and an augmentation of its own', async () => {
  const batches = await take(shuffled, 14)
  assert.notDeepEqual(batches[0]!.labels, batches[7]!.labels)
  const seeds = await take({ ...shuffled, seed: 6 }, 1)
  assert.notDeepEqual(batches[0]!.labels, seeds[0]!.labels)
})

test('seeking to any position continues with exactly the batches of an unbroken run', async () => {
  const unbroken = await take(shuffled, 21)
  const loader = createLoader(shuffled)
  for (const start of [13, 0, 6, 7, 20, 1]) {
    loader.seek({ epoch: Math.floor(start / 7), batch: start % 7 })
    for (let i = start; i < Math.min(start + 3, 21); i++)
      assert.deepEqual(copy(await loader.next()), unbroken[i])
    // With a batch prepared in advance, too.
    await sleep(3)
  }
})

test('a position survives JSON and starts a new loader where the old one stopped', async () => {
  const unbroken = await take(shuffled, 12)
  const first = createLoader(shuffled)
  for (let i = 0; i < 9; i++) await first.next()
  const second = createLoader(shuffled)
  second.seek(JSON.parse(JSON.stringify(first.position)))
  for (let i = 9; i < 12; i++) assert.deepEqual(copy(await second.next()), unbroken[i])
})

test('a batch keeps its values until the next call but one, prepared batches or not', async () => {
  const unbroken = await take(shuffled, 12)
  const loader = createLoader(shuffled)
  let previous: Batch | undefined
  for (let i = 0; i < 12; i++) {
    const batch = await loader.next()
    await sleep(i % 2 === 0 ? 3 : 0)
    if (previous !== undefined) assert.deepEqual(copy(previous), unbroken[i - 1])
    assert.deepEqual(copy(batch), unbroken[i])
    previous = batch
  }
})

test('a batch may be moved to another thread', async () => {
  const unbroken = await take(shuffled, 8)
  const loader = createLoader(shuffled)
  for (let i = 0; i < 8; i++) {
    const batch = await loader.next()
    const moved = structuredClone(batch, { transfer: [batch.x.buffer, batch.labels.buffer] })
    assert.deepEqual(copy(moved), unbroken[i])
    await sleep(2)
  }
})

test('the augmentation of an image does not depend on which others are in the part', async () => {
  const still = { ...shuffled, shuffle: false, batchSize: 1 }
  const all = await take({ ...still, images: glyphs.train }, glyphs.train.count)
  const some = await take(still, train.count)
  for (const [i, batch] of some.entries()) assert.deepEqual(batch.x, all[train.indices[i]!]!.x)
})

test('padding shifts an image by at most that many pixels, black outside, and reaches every shift', async () => {
  const batches = await take({ ...rampOptions, augmentation: { pad: 1, flip: false } }, 200)
  const seen = new Set<string>()
  for (const { x } of batches) {
    const values = [...x].map(Math.round)
    const matches = shifts(1).filter(([dy, dx]) => equal(values, shiftedRamp(dy, dx, false)))
    assert.equal(matches.length, 1)
    seen.add(matches[0]!.join())
  }
  assert.equal(seen.size, 9)
})

test('flipping mirrors about half of the images left to right', async () => {
  const batches = await take({ ...rampOptions, augmentation: { pad: 1, flip: true } }, 400)
  let mirrored = 0
  for (const { x } of batches) {
    const values = [...x].map(Math.round)
    const plain = shifts(1).some(([dy, dx]) => equal(values, shiftedRamp(dy, dx, false)))
    const flipped = shifts(1).some(([dy, dx]) => equal(values, shiftedRamp(dy, dx, true)))
    assert.ok(plain !== flipped)
    if (flipped) mirrored++
  }
  assert.ok(mirrored > 160 && mirrored < 240, `${mirrored} of 400`)
})

test('channels are normalised each with its own constants and shifted together', async () => {
  const images: LabelledImages = {
    images: Uint8Array.of(51, 51, 102, 102),
    labels: Uint8Array.of(1),
    count: 1,
  }
  const [batch] = await take(
    {
      images,
      imageShape: [2, 1, 2],
      normalization: { mean: [0.2, 0], std: [1, 0.5] },
      batchSize: 4,
      seed: 1,
    },
    1,
  )
  assert.ok(Math.abs(batch!.x[0]!) < 1e-7)
  assert.ok(Math.abs(batch!.x[2]! - 0.8) < 1e-6)
  assert.deepEqual([...batch!.labels], [1])
})

test('impossible loaders are refused with the reason', () => {
  const wrong: [Partial<LoaderOptions>, RegExp][] = [
    [{ batchSize: 0 }, /batch size/],
    [{ batchSize: 1.5 }, /batch size/],
    [{ batchSize: 200, dropLast: true }, /107 images do not fill one batch of 200/],
    [{ images: { ...glyphs.train, count: 0, images: new Uint8Array(0) } }, /0 images/],
    [{ augmentation: { pad: 28, flip: false } }, /padding from 0 to 27/],
    [{ imageShape: [3, 28, 28] }, /pixels/],
    [
      { normalization: { mean: [0, 0], std: [1] } },
      /expected one value for the mean of 1-channel images, found 2/,
    ],
    [{ normalization: { mean: [0], std: [0] } }, /above 0/],
  ]
  for (const [change, message] of wrong) {
    assert.throws(
      () => createLoader({ ...shuffled, ...change }),
      (error: unknown) => error instanceof SternaError && message.test(error.message),
      JSON.stringify(change),
    )
  }
  const loader = createLoader(shuffled)
  for (const position of [
    { epoch: 0, batch: 7 },
    { epoch: -1, batch: 0 },
    { epoch: 0.5, batch: 0 },
  ]) {
    assert.throws(() => loader.seek(position), SternaError)
  }
})

function shifts(pad: number): [number, number][] {
  const range = Array.from({ length: 2 * pad + 1 }, (_, i) => i - pad)
  return range.flatMap(dy => range.map((dx): [number, number] => [dy, dx]))
}

/** The 4 × 5 ramp with pixel (y + dy, x + dx) at (y, x). */
function shiftedRamp(dy: number, dx: number, mirrored: boolean): number[] {
  const result: number[] = []
  for (let y = 0; y < 4; y++) {
    for (let column = 0; column < 5; column++) {
      const sourceY = y + dy
      const sourceX = (mirrored ? 4 - column : column) + dx
      const inside = sourceY >= 0 && sourceY < 4 && sourceX >= 0 && sourceX < 5
      result.push(inside ? sourceY * 5 + sourceX + 1 : 0)
    }
  }
  return result
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, i) => value === b[i])
}
