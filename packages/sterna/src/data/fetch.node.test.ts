import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { SternaError } from '../core/index.ts'
import { fetchCifar10, fetchMnist, openDataset } from './index.node.ts'

const repoRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../..')
const shared = process.env.STERNA_SHARED ?? path.resolve(repoRoot, '../shared')
const sharedMnist = path.join(shared, 'data/mnist')
const withoutMnist = existsSync(sharedMnist) ? false : 'the MNIST files are not on this machine'

function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sterna-fetch-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Serves files by name; returns the mirror's address and the names asked for. */
async function serve(context: TestContext, content: (name: string) => Uint8Array | undefined) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const name = request.url!.slice(1)
    asked.push(name)
    const bytes = content(name)
    if (bytes === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { mirror: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked }
}

test('MNIST is fetched, opens, and what is right already is not fetched again', {
  skip: withoutMnist,
}, async context => {
  const folder = temporaryFolder(context)
  const { mirror, asked } = await serve(context, name => readFileSync(path.join(sharedMnist, name)))
  const first = await fetchMnist(folder, { mirrors: [mirror] })
  assert.deepEqual(
    first.files.map(file => file.status),
    ['downloaded', 'downloaded', 'downloaded', 'downloaded'],
  )
  assert.equal((await openDataset(`mnist:${folder}`)).test.count, 10_000)
  writeFileSync(path.join(folder, 't10k-labels-idx1-ubyte.gz'), 'damaged')
  const second = await fetchMnist(folder, { mirrors: [mirror] })
  assert.deepEqual(
    second.files.map(file => file.status),
    ['present', 'present', 'present', 'downloaded'],
  )
  assert.equal(asked.length, 5)
})

test('without a network MNIST names the file, a mirror and the folder to put it into', async context => {
  const folder = temporaryFolder(context)
  await assert.rejects(
    fetchMnist(folder, { mirrors: ['http://127.0.0.1:1/'], rounds: 1 }),
    (error: unknown) => {
      assert.ok(error instanceof SternaError)
      assert.equal(error.code, 'data/offline')
      assert.ok(error.hint?.includes('train-images-idx3-ubyte.gz') && error.hint.includes(folder))
      return true
    },
  )
})

function tarEntry(name: string, content: Uint8Array): Uint8Array {
  const block = Buffer.alloc(512 + Math.ceil(content.length / 512) * 512)
  block.write(name, 0)
  block.write(content.length.toString(8).padStart(11, '0'), 124)
  block.write('        ', 148)
  block.write('0', 156)
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148)
  block.set(content, 512)
  return block
}

const batchNames = [1, 2, 3, 4, 5].map(number => `data_batch_${number}.bin`).concat('test_batch.bin')
const batches = batchNames.map((name, i) => ({ name, bytes: new Uint8Array(2 * 3073).fill(i) }))
const archive = gzipSync(
  Buffer.concat([
    ...batches.map(({ name, bytes }) => tarEntry(`cifar-10-batches-bin/${name}`, bytes)),
    tarEntry('../escape.txt', new Uint8Array(3)),
    Buffer.alloc(1024),
  ]),
)
const hash = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest('hex')
const contents = {
  archiveMd5: hash('md5', archive),
  files: batches.map(({ name, bytes }) => [name, hash('sha256', bytes)] as const),
}

test('CIFAR-10 is fetched and unpacked: its six files and nothing else', async context => {
  const folder = temporaryFolder(context)
  const { mirror, asked } = await serve(context, () => archive)
  const result = await fetchCifar10(folder, { mirrors: [mirror], contents })
  assert.equal(result.dir, path.join(folder, 'cifar-10-batches-bin'))
  assert.deepEqual(readdirSync(folder), ['cifar-10-batches-bin'])
  assert.deepEqual(readdirSync(result.dir).sort(), batchNames)
  assert.equal((await openDataset(`cifar10:${folder}`)).train.count, 10)
  const again = await fetchCifar10(folder, { mirrors: [mirror], contents })
  assert.equal(again.files[0]!.status, 'present')
  assert.deepEqual(asked, ['cifar-10-binary.tar.gz'])
})

test('an archive whose files are not the expected ones is refused', async context => {
  const folder = temporaryFolder(context)
  const { mirror } = await serve(context, () => archive)
  const files = contents.files.map(([name, sha256]) => [name, sha256.replace(/./, 'x')] as const)
  await assert.rejects(
    fetchCifar10(folder, { mirrors: [mirror], contents: { ...contents, files } }),
    (error: unknown) =>
      error instanceof SternaError && error.code === 'data/checksum' && /data_batch_1/.test(error.message),
  )
})
