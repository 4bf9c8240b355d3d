import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test, { type TestContext } from 'node:test'
import { SternaError } from '../core/index.ts'
import {
  type DownloadOptions,
  type DownloadProgress,
  downloadFile,
  type RemoteFile,
} from './download.node.ts'

const content = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i + (i >> 7)) & 255)
const hex = createHash('sha256').update(content).digest('hex')
const quick: DownloadOptions = { retryDelayMs: 1 }

type Handler = (request: IncomingMessage, response: ServerResponse, visit: number) => void

interface Fixture {
  readonly folder: string
  readonly target: string
  readonly file: RemoteFile
  /** The range header of every request, in order; '' for none. */
  readonly ranges: string[]
}

/** A server of one file on this machine and an empty folder; one mirror per handler. */
async function fixture(context: TestContext, ...handlers: Handler[]): Promise<Fixture> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sterna-download-'))
  const ranges: string[] = []
  const visits = handlers.map(() => 0)
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? '')
    const mirror = Number(request.url?.split('/')[1])
    handlers[mirror]!(request, response, visits[mirror]!++)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const { port } = server.address() as AddressInfo
  const file: RemoteFile = {
    name: 'data.bin',
    mirrors: handlers.map((_, i) => `http://127.0.0.1:${port}/${i}/`),
    checksum: { algorithm: 'sha256', hex },
    maxBytes: 1_000_000,
  }
  return { folder, target: path.join(folder, 'data.bin'), file, ranges }
}

/** Serves the whole file, or the range asked for. */
const serve: Handler = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  if (start >= content.length) return void response.writeHead(416).end()
  const headers = { 'content-length': content.length - start }
  if (start === 0) response.writeHead(200, headers)
  else {
    response.writeHead(206, {
      ...headers,
      'content-range': `bytes ${start}-${content.length - 1}/${content.length}`,
    })
  }
  response.end(content.subarray(start))
}

/** Promises everything and cuts the connection after so many bytes. */
const cutAfter =
  (bytes: number): Handler =>
  (_, response) => {
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20))
  }

const status =
  (code: number): Handler =>
  (_, response) =>
    void response.writeHead(code).end()

function assertComplete({ folder, target }: Fixture): void {
  assert.ok(readFileSync(target).equals(content))
  assert.deepEqual(readdirSync(folder), ['data.bin'])
}

test('a download arrives whole, reports its progress, and is not repeated', async context => {
  const here = await fixture(context, serve)
  const progress: DownloadProgress[] = []
  const options = { ...quick, onProgress: (event: DownloadProgress) => progress.push(event) }
  assert.equal(await downloadFile(here.file, here.folder, options), 'downloaded')
  assertComplete(here)
  assert.deepEqual(progress.at(-1), { file: 'data.bin', receivedBytes: 300_000, totalBytes: 300_000 })
  assert.equal(await downloadFile(here.file, here.folder, options), 'present')
  assert.equal(here.ranges.length, 1)
})

test('a wrong file in its place is replaced', async context => {
  const here = await fixture(context, serve)
  writeFileSync(here.target, 'something else')
  assert.equal(await downloadFile(here.file, here.folder, quick), 'downloaded')
  assertComplete(here)
})

test('after a cut connection the rest is asked for, not everything again', async context => {
  const here = await fixture(context, (request, response, visit) =>
    (visit === 0 ? cutAfter(100_000) : serve)(request, response, visit),
  )
  await downloadFile(here.file, here.folder, quick)
  assertComplete(here)
  assert.equal(here.ranges.length, 2)
  assert.match(here.ranges[1]!, /^bytes=[1-9]\d*-$/)
})

test('a later call continues what an earlier process left, from another mirror too', async context => {
  const here = await fixture(context, status(503), serve)
  writeFileSync(`${here.target}.part`, content.subarray(0, 250_000))
  await downloadFile(here.file, here.folder, quick)
  assertComplete(here)
  assert.deepEqual(here.ranges, ['bytes=250000-', 'bytes=250000-'])
})

test('a complete partial file only gets its name', async context => {
  const here = await fixture(context, serve)
  writeFileSync(`${here.target}.part`, content)
  await downloadFile(here.file, here.folder, quick)
  assertComplete(here)
  assert.deepEqual(here.ranges, [])
})

test('a damaged, an overlong and an unwanted partial file lead to a fresh download', async context => {
  const here = await fixture(context, serve)
  for (const part of [new Uint8Array(1000), new Uint8Array(300_001), new Uint8Array(900_000)]) {
    writeFileSync(`${here.target}.part`, part)
    await downloadFile(here.file, here.folder, quick)
    assertComplete(here)
    rmSync(here.target)
  }
})

test('a server that ignores ranges sends everything and the file is right', async context => {
  const here = await fixture(context, (_, response) => void response.end(content))
  writeFileSync(`${here.target}.part`, content.subarray(0, 250_000))
  await downloadFile(here.file, here.folder, quick)
  assertComplete(here)
})

test('wrong content is named with its checksum, kept nowhere and fetched once per mirror', async context => {
  const wrong: Handler = (_, response) => void response.end('an error page')
  const here = await fixture(context, wrong, wrong)
  await assert.rejects(downloadFile(here.file, here.folder, quick), (error: unknown) => {
    assert.ok(error instanceof SternaError)
    assert.equal(error.code, 'data/checksum')
    assert.ok(error.message.includes(hex) && error.message.includes('data.bin'))
    return true
  })
  assert.deepEqual(readdirSync(here.folder), [])
  assert.equal(here.ranges.length, 2)
})

test('a stream without end is stopped at the size limit', async context => {
  const endless: Handler = (_, response) => {
    const chunk = new Uint8Array(65_536)
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    }
    response.on('drain', more)
    more()
  }
  const here = await fixture(context, endless)
  await assert.rejects(
    downloadFile(here.file, here.folder, quick),
    (error: unknown) =>
      error instanceof SternaError && error.code === 'data/checksum' && /1000000 bytes/.test(error.message),
  )
  assert.deepEqual(readdirSync(here.folder), [])
})

test('a refused address is not asked again, a busy one is', async context => {
  const here = await fixture(context, status(404), status(503))
  await assert.rejects(
    downloadFile(here.file, here.folder, quick),
    (error: unknown) =>
      error instanceof SternaError && /HTTP 404/.test(error.message) && /HTTP 503/.test(error.message),
  )
  assert.equal(here.ranges.length, 4)
})

test('offline, the error says what to download by hand and where to put it', async context => {
  const here = await fixture(context)
  const file = { ...here.file, mirrors: ['http://127.0.0.1:1/mirror/'] }
  await assert.rejects(downloadFile(file, here.folder, { ...quick, rounds: 2 }), (error: unknown) => {
    assert.ok(error instanceof SternaError)
    assert.equal(error.code, 'data/offline')
    assert.ok(error.hint?.includes('http://127.0.0.1:1/mirror/data.bin'))
    assert.ok(error.hint?.includes(here.folder))
    return true
  })
})

test('a connection that goes quiet counts as cut', async context => {
  const here = await fixture(context, (request, response, visit) => {
    if (visit > 0) return serve(request, response, visit)
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 1000))
  })
  await downloadFile(here.file, here.folder, { ...quick, stallMs: 400 })
  assertComplete(here)
})

test('stopping keeps what has arrived, and the next call continues there', async context => {
  const here = await fixture(context, (request, response, visit) => {
    if (visit > 0) return serve(request, response, visit)
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 120_000))
  })
  const stop = new AbortController()
  const onProgress = ({ receivedBytes }: DownloadProgress) => {
    if (receivedBytes >= 120_000) stop.abort()
  }
  await assert.rejects(
    downloadFile(here.file, here.folder, { ...quick, signal: stop.signal, onProgress }),
    (error: unknown) => error instanceof SternaError && error.code === 'data/interrupted',
  )
  assert.ok(existsSync(`${here.target}.part`))
  await downloadFile(here.file, here.folder, quick)
  assertComplete(here)
  assert.equal(here.ranges[1], 'bytes=120000-')
})

test('a folder that cannot be written is an error of its own, not a network error', async context => {
  const here = await fixture(context, serve)
  const blocked = path.join(here.folder, 'blocked')
  writeFileSync(blocked, '')
  await assert.rejects(
    downloadFile(here.file, path.join(blocked, 'data'), quick),
    (error: unknown) => error instanceof SternaError && error.code === 'file/write-failed',
  )
  mkdirSync(`${here.target}.part`)
  await assert.rejects(
    downloadFile(here.file, here.folder, quick),
    (error: unknown) => error instanceof SternaError && error.code === 'file/write-failed',
  )
  assert.equal(here.ranges.length, 1)
})
