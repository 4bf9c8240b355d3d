import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { SternaError, type SternaErrorCode } from '../core/index.ts'
import { dataCatalogue, openDataset } from './index.node.ts'

const repoRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..')
const shared = process.env.STERNA_SHARED ?? path.resolve(repoRoot, '../shared')
const sharedMnist = path.join(shared, 'data/mnist')
const withoutMnist = existsSync(sharedMnist) ? false : 'the MNIST files are not on this machine'

function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sterna-open-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function idx(shape: readonly number[], elements: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length)
  header.writeUInt32BE(0x800 + shape.length, 0)
  for (const [axis, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * axis)
  return Buffer.concat([header, elements])
}

function pixels(count: number, imageSize: number): Uint8Array {
  return Uint8Array.from({ length: count * imageSize }, (_, i) => (i * 7 + (i >> 8)) & 255)
}

function labels(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => i % 10)
}

/** A small set in MNIST's format, by the names of the distributed files. */
function smallMnist(): Record<string, Uint8Array> {
  return {
    'train-images-idx3-ubyte': idx([30, 28, 28], pixels(30, 784)),
    'train-labels-idx1-ubyte': idx([30], labels(30)),
    't10k-images-idx3-ubyte': idx([10, 28, 28], pixels(10, 784)),
    't10k-labels-idx1-ubyte': idx([10], labels(10)),
  }
}

function writeAll(folder: string, files: Readonly<Record<string, Uint8Array>>): string {
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(folder, name), bytes)
  return folder
}

function batch(count: number): Uint8Array {
  const records = pixels(count, 3073)
  for (let i = 0; i < count; i++) records[i * 3073] = i % 10
  return records
}

function smallCifar(): Record<string, Uint8Array> {
  const names = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch']
  return Object.fromEntries(names.map(name => [`${name}.bin`, batch(4)]))
}

async function assertFails(spec: string, code: SternaErrorCode, ...parts: readonly string[]): Promise<void> {
  await assert.rejects(openDataset(spec), (error: unknown) => {
    assert.ok(error instanceof SternaError, `${error}`)
    assert.equal(error.code, code, error.message)
    for (const part of parts) {
      assert.ok(
        `${error.message} ${error.hint}`.includes(part),
        `"${error.message}" (${error.hint}) has "${part}"`,
      )
    }
    return true
  })
}

test('MNIST opens under every usual spelling, packed or plain, with the same digest', async context => {
  const folder = temporaryFolder(context)
  const files = smallMnist()
  const rename = (change: (name: string, bytes: Uint8Array) => [string, Uint8Array]) =>
    Object.fromEntries(Object.entries(files).map(([name, bytes]) => change(name, bytes)))
  const layouts = {
    plain: files,
    dotted: rename((name, bytes) => [name.replace('-idx', '.idx'), bytes]),
    packed: rename((name, bytes) => [`${name}.gz`, gzipSync(bytes)]),
    'torch/MNIST/raw': rename((name, bytes) => [`${name.replace('-idx', '.idx')}.gz`, gzipSync(bytes)]),
  }
  const digests = new Set<string>()
  for (const [name, layout] of Object.entries(layouts)) {
    writeAll(path.join(folder, name), layout)
    const dataset = await openDataset(`mnist:${path.join(folder, name.split('/')[0]!)}`)
    assert.equal(dataset.name, 'mnist')
    assert.deepEqual(dataset.imageShape, [1, 28, 28])
    assert.equal(dataset.train.count, 30)
    assert.deepEqual(dataset.test.images, pixels(10, 784))
    assert.deepEqual(dataset.test.labels, labels(10))
    digests.add(dataset.digest)
  }
  assert.equal(digests.size, 1)
})

test('a set that is named without a folder is found below the data folders', async context => {
  const root = temporaryFolder(context)
  const empty = path.join(root, 'empty')
  await assert.rejects(openDataset('mnist', { roots: [empty] }), (error: unknown) => {
    return error instanceof SternaError && error.code === 'data/not-found' && /glyphs/.test(error.hint ?? '')
  })
  writeAll(path.join(root, 'full/mnist'), smallMnist())
  assert.equal((await openDataset('mnist', { roots: [empty, path.join(root, 'full')] })).train.count, 30)
  const catalogue = await dataCatalogue({ roots: [path.join(root, 'full')] })
  assert.deepEqual(
    catalogue.map(({ name, found, dir }) => [name, found, dir]),
    [
      ['mnist', true, path.join(root, 'full/mnist')],
      ['cifar10', false, undefined],
      ['glyphs', true, undefined],
    ],
  )
})

test('missing files are named', async context => {
  const folder = temporaryFolder(context)
  await assertFails(
    `mnist:${folder}`,
    'data/not-found',
    folder,
    'none',
    'train-images-idx3-ubyte',
    'fetch mnist',
  )
  const { 't10k-labels-idx1-ubyte': _, ...rest } = smallMnist()
  writeAll(folder, rest)
  await assertFails(`mnist:${folder}`, 'data/not-found', 'missing t10k-labels-idx1-ubyte')
  await assertFails(`cifar10:${folder}`, 'data/not-found', 'data_batch_1.bin', 'test_batch.bin')
})

test('MNIST files cut short, swapped or damaged are refused with the file, expected and found', async context => {
  const files = smallMnist()
  const images = files['t10k-images-idx3-ubyte']!
  const wrong: [string, Uint8Array, SternaErrorCode, string][] = [
    ['t10k-images-idx3-ubyte', images.subarray(0, 5000), 'file/truncated', 't10k-images'],
    ['t10k-images-idx3-ubyte', new Uint8Array(0), 'file/truncated', 't10k-images'],
    ['t10k-images-idx3-ubyte', gzipSync(images).subarray(0, -20), 'file/damaged', 't10k-images'],
    ['t10k-images-idx3-ubyte', idx([10], labels(10)), 'data/invalid', '[N,28,28], found [10]'],
    ['t10k-images-idx3-ubyte', idx([10, 20, 20], pixels(10, 400)), 'data/invalid', '[10,20,20]'],
    ['t10k-images-idx3-ubyte', idx([0, 28, 28], pixels(0, 784)), 'data/invalid', 'found none'],
    ['t10k-labels-idx1-ubyte', idx([9], labels(9)), 'data/invalid', 'expected 10 labels'],
    ['t10k-labels-idx1-ubyte', idx([10, 1], labels(10)), 'data/invalid', '[10,1]'],
    [
      't10k-labels-idx1-ubyte',
      idx([10], new Uint8Array(10).fill(10)),
      'data/invalid',
      'found 10 at position 0',
    ],
    ['train-labels-idx1-ubyte', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 'file/bad-magic', 'train-labels'],
  ]
  for (const [name, bytes, code, part] of wrong) {
    const folder = writeAll(temporaryFolder(context), { ...files, [name]: bytes })
    await assertFails(`mnist:${folder}`, code, path.join(folder, name), part)
  }
})

test('CIFAR-10 opens from its folder or the folder above, images in file order', async context => {
  const root = temporaryFolder(context)
  const folder = writeAll(path.join(root, 'cifar-10-batches-bin'), smallCifar())
  const dataset = await openDataset(`cifar10:${folder}`)
  assert.equal(dataset.train.count, 20)
  assert.deepEqual(dataset.imageShape, [3, 32, 32])
  assert.deepEqual([...dataset.train.labels.subarray(0, 6)], [0, 1, 2, 3, 0, 1])
  assert.deepEqual(dataset.train.images.subarray(4 * 3072, 5 * 3072), batch(1).subarray(1))
  assert.equal((await openDataset(`cifar10:${root}`)).digest, dataset.digest)
})

test('CIFAR-10 files cut short, uneven or with impossible labels are refused', async context => {
  const wrong: [Uint8Array, SternaErrorCode, string][] = [
    [batch(4).subarray(0, 9000), 'file/truncated', 'data_batch_3.bin'],
    [batch(3), 'data/invalid', 'expected 4 images'],
    [batch(4).fill(10, 3073, 3074), 'file/damaged', 'data_batch_3.bin'],
  ]
  for (const [bytes, code, part] of wrong) {
    const folder = writeAll(temporaryFolder(context), { ...smallCifar(), 'data_batch_3.bin': bytes })
    await assertFails(`cifar10:${folder}`, code, path.join(folder, 'data_batch_3.bin'), part)
  }
})

test('an unknown set is answered with the nearest names', async () => {
  await assertFails('mnits:/tmp', 'usage/option', '"mnits"', 'nearest: mnist')
  await assertFails('cifar', 'usage/option', 'cifar10')
  await assertFails('', 'usage/option', 'glyphs')
})

test('glyphs open by spec', async () => {
  const dataset = await openDataset('glyphs:train=40,test=10,seed=9')
  assert.equal(dataset.train.count, 40)
  assert.equal(dataset.test.count, 10)
  await assertFails('glyphs:training=40', 'usage/option', 'training=40')
})

test('the real MNIST opens with the published counts and statistics', { skip: withoutMnist }, async () => {
  const dataset = await openDataset(`mnist:${sharedMnist}`)
  assert.equal(dataset.train.count, 60_000)
  assert.equal(dataset.test.count, 10_000)
  assert.deepEqual([...dataset.train.labels.subarray(0, 5)], [5, 0, 4, 1, 9])
  assert.deepEqual([...dataset.test.labels.subarray(0, 5)], [7, 2, 1, 0, 4])
  const sum = dataset.train.images.reduce((total, pixel) => total + pixel, 0)
  assert.equal((sum / (60_000 * 784) / 255).toFixed(4), dataset.normalization.mean[0]?.toFixed(4))
  assert.equal(dataset.digest, '07d73275efdb85e1')
})
