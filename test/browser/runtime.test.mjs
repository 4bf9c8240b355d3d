/** The same file and the same input give the same bytes in Node and in a browser, whatever the page is like. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as compiled from '../../packages/runtime/dist/compiled/index.js'
import { load, readSterna } from '../../packages/runtime/dist/index.node.js'
import {
  createRandom,
  lenet5,
  randomArray,
  resnet20,
} from '../../packages/runtime/dist/kernels/testing/models.js'
import { exportWasm } from '../../packages/sterna/dist/export/index.js'
import { writeSterna } from '../../packages/sterna/dist/pack/index.js'
import { root } from '../repository.mjs'
import { withRanges } from '../with-ranges.mjs'
import { launchBrowser, noChromium } from './browser.mjs'
import { serve } from './server.mjs'

const runtime = path.join(root, 'packages/runtime/dist')

const fileOf = async (model, input) => {
  const bytes = writeSterna(model)
  const { bytes: module } = await exportWasm(readSterna(bytes).model)
  return { bytes, module, input }
}

/** Two images for each network: a session is used more than once. */
const files = {
  lenet5: await fileOf(lenet5(0.9), randomArray(createRandom(1), 2 * 784)),
  resnet20: await fileOf(withRanges(resnet20(0.64)), randomArray(createRandom(2), 2 * 3072)),
}

/** File and options of every session compared. */
const runs = [
  ['lenet5', {}],
  ['lenet5', { kernels: 'reference' }],
  ['resnet20', { arithmetic: 'f32' }],
  ['resnet20', {}],
  ['resnet20', { threads: 2 }],
]
/** Networks that are compiled, of the runs above. */
const compiledRuns = { lenet5: 0, resnet20: 3 }

/** What the page, which has an import map, and its worker, which has none, run; bits tell −0 from 0. */
const runAll = `
export async function runAll({ load, SternaError }, compiled, runs) {
  const bytesOf = async address => (await fetch(address)).arrayBuffer()
  const results = []
  for (const [name, options] of runs) {
    const session = await load(await bytesOf('/' + name + '.sterna'), options)
    const { output } = await session.runBatch(new Float32Array(await bytesOf('/' + name + '.input')))
    const { kernels, arithmetic } = session.describe()
    const { threads, threadsReason } = session
    results.push({ kernels, arithmetic, threads, threadsReason, bits: [...new Uint32Array(output.buffer)] })
    session.close()
  }
  const modules = []
  for (const name of ['lenet5', 'resnet20']) {
    try {
      const session = await compiled.load(await bytesOf('/' + name + '.wasm'), { threads: 2 })
      const { output } = await session.runBatch(new Float32Array(await bytesOf('/' + name + '.input')))
      modules.push({ threads: session.threads, bits: [...new Uint32Array(output.buffer)] })
      session.close()
    } catch (error) {
      modules.push(error instanceof compiled.SternaError ? error.code : String(error))
    }
  }
  const refused = await load(new Uint8Array(40)).catch(error => error)
  return { results, modules, refused: refused instanceof SternaError ? refused.code : String(refused) }
}
`
const worker = `
import * as compiled from './runtime/compiled/index.js'
import * as runtime from './runtime/index.js'
import { runAll } from './run-all.mjs'
addEventListener('message', async ({ data }) => postMessage(await runAll(runtime, compiled, data)))
`
const page = `<!doctype html><title>sterna-runtime</title>
<script type="importmap">{ "imports": { "sterna-runtime": "/runtime/index.js" } }</script>
<script type="module">
  import * as runtime from 'sterna-runtime'
  import * as compiled from './runtime/compiled/index.js'
  import { runAll } from './run-all.mjs'
  window.runHere = runs => runAll(runtime, compiled, runs)
  window.runInWorker = runs => new Promise((resolve, reject) => {
    const worker = new Worker('/worker.mjs', { type: 'module' })
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = ({ message }) => reject(new Error(message))
    worker.postMessage(runs)
  })
</script>`

const site = {
  folders: { '/runtime/': runtime },
  contents: {
    '/': page,
    '/run-all.mjs': runAll,
    '/worker.mjs': worker,
    ...Object.fromEntries(
      Object.entries(files).flatMap(([name, { bytes, module, input }]) => [
        [`/${name}.sterna`, bytes],
        [`/${name}.wasm`, module],
        [`/${name}.input`, new Uint8Array(input.buffer)],
      ]),
    ),
  },
}

async function runInNode() {
  const results = []
  for (const [name, options] of runs) {
    const session = await load(files[name].bytes, options)
    const { output } = await session.runBatch(files[name].input)
    const { kernels, arithmetic } = session.describe()
    const { threads, threadsReason } = session
    results.push({ kernels, arithmetic, threads, threadsReason, bits: [...new Uint32Array(output.buffer)] })
    session.close()
  }
  // Compiled networks give the bits of those that are planned where they run.
  const modules = []
  for (const [name, run] of Object.entries(compiledRuns)) {
    const { output } = (await compiled.load(files[name].module)).run(files[name].input)
    assert.deepEqual([...new Uint32Array(output.buffer)], results[run].bits)
    modules.push({ threads: 2, bits: results[run].bits })
  }
  return { results, modules, refused: 'file/bad-magic' }
}

describe('sterna-runtime in Chromium', { skip: noChromium }, () => {
  let browser
  let expected
  before(async () => {
    browser = await launchBrowser()
    expected = await runInNode()
  })
  after(() => browser?.close())

  /** Runs `where` ('runHere' or 'runInWorker') in a fresh page, which must have complained of nothing else. */
  async function runInPage(where, settings, complaint) {
    const server = await serve({ ...site, ...settings })
    try {
      const { page, errors, close } = await browser.open(server.origin)
      const isolated = await page.evaluate(() => crossOriginIsolated)
      const answer = await page.evaluate(([name, list]) => window[name](list), [where, runs])
      await close()
      assert.deepEqual(
        errors.filter(error => !complaint?.test(error)),
        [],
      )
      assert.equal(isolated, settings.isolated ?? false)
      return answer
    } finally {
      await server.close()
    }
  }

  for (const isolated of [false, true]) {
    const how = isolated ? 'with cross-origin isolation' : 'without cross-origin isolation'
    test(`computes the bytes that Node computes, ${how}, on the page and in a worker`, async () => {
      assert.deepEqual(await runInPage('runHere', { isolated }), expected)
      assert.deepEqual(await runInPage('runInWorker', { isolated }), expected)
    })
  }

  test('computes the same without WebAssembly, where the security policy of a page forbids it', async () => {
    const headers = { 'Content-Security-Policy': "script-src 'self' 'unsafe-inline'" }
    const { results, modules } = await runInPage('runHere', { headers })
    assert.deepEqual(modules, ['engine/unavailable', 'engine/unavailable'])
    const [, lenet5, , ...resnet20] = expected.results
    assert.deepEqual(new Set(results.map(({ kernels }) => kernels)), new Set(['reference']))
    assert.deepEqual(results.slice(0, 2), [lenet5, lenet5])
    // On bytes plain kernels compute what vector ones compute; the last layer adds numbers, in another order.
    for (const [run, { arithmetic, bits }] of resnet20.entries()) {
      assert.equal(arithmetic, 'int')
      const [plain, vector] = [results[3 + run].bits, bits].map(
        list => new Float32Array(Uint32Array.from(list).buffer),
      )
      const largest = Math.max(...vector.map(Math.abs))
      assert.ok(plain.every((value, i) => Math.abs(value - vector[i]) <= 1e-5 * largest))
    }
  })
  test('computes the same where the security policy of a page forbids workers, and says why', async () => {
    const headers = { 'Content-Security-Policy': "worker-src 'none'" }
    const { results } = await runInPage('runHere', { headers }, /worker-src/)
    const last = expected.results.length - 1
    const { threadsReason, ...threaded } = results[last]
    assert.match(threadsReason, /^a worker did not start: ./)
    assert.deepEqual(results.slice(0, last), expected.results.slice(0, last))
    assert.equal(threaded.threads, 1)
    assert.deepEqual(threaded.bits, expected.results[last].bits)
  })
})
