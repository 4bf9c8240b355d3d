/** What a user of sterna-runtime pays: bytes in a bundle, milliseconds to the first answer, bytes of memory. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { load } from '../packages/runtime/dist/index.js'
import { createRandom, randomArray, resnet20 } from '../packages/runtime/dist/kernels/testing/models.js'
import { exportWasm } from '../packages/sterna/dist/export/index.js'
import { writeSterna } from '../packages/sterna/dist/pack/index.js'
import { root } from './repository.mjs'
import { withRanges } from './with-ranges.mjs'

/**
 * What a change may cost before it has to say so here. Of the goals (20 KB, 25 ms, 1 MB) a compiled network holds all; of
 * those that are planned when they are loaded memory holds, and the README of the runtime says how far the others are.
 */
const limits = {
  /** Brotli bytes of what importing the runtime loads. */
  entryBytes: 25_000,
  /** Brotli bytes with all that it loads when it is needed: kernels for bytes, for numbers, for other operators, plain ones, workers. */
  allBytes: 61_000,
  /** The fastest of some fresh processes: beside other tests even that takes twice as long as alone. */
  startMs: 400,
  /** Weights in the form that kernels read, and all values of one image. */
  planBytes: 720_000,
  /** The same with the session's objects; the decoded model is gone. */
  heldBytes: 850_000,
  compiled: {
    /** Brotli bytes of the loader and of the module, without its coded weights, which are data. */
    bundleBytes: 20_000,
    /** The fastest of some fresh processes; it may be the only one that had a core to itself. */
    startMs: 25,
    /** What an instance holds with its session. */
    heldBytes: 1_000_000,
  },
}

const dist = path.join(root, 'packages/runtime/dist')
const scratch = mkdtempSync(path.join(tmpdir(), 'sterna-bundle-'))
const file = path.join(scratch, 'resnet20.sterna')
const module = path.join(scratch, 'resnet20.wasm')
const urlOf = name => pathToFileURL(path.join(scratch, name)).href
const [app, compiledApp] = [urlOf('app.js'), urlOf('compiled.js')]
const bytes = writeSterna(withRanges(resnet20(0.64)))
const input = randomArray(createRandom(1), 3072)
let chunks
let compiled
let compiledChunks

before(async () => {
  writeFileSync(file, bytes)
  compiled = await exportWasm(withRanges(resnet20(0.64)))
  writeFileSync(module, compiled.bytes)
  chunks = await bundle('app.js', 'index.js')
  compiledChunks = await bundle('compiled.js', 'compiled/index.js')
})
after(() => rmSync(scratch, { recursive: true, force: true }))

/** Bundles an application that loads networks, minified, as `name`. */
async function bundle(name, entry) {
  const source = `export { load, SternaError } from ${JSON.stringify(path.join(dist, entry))}`
  const application = {
    name: 'application',
    resolveId: id => (id === name ? id : null),
    load: id => (id === name ? source : null),
  }
  const bundled = await rolldown({ input: name, plugins: [application] })
  return (await bundled.write({ dir: scratch, format: 'esm', minify: true })).output
}

const brotliBytes = list => list.reduce((sum, { code }) => sum + brotliCompressSync(code).length, 0)

test('a bundle stays small, and needs nothing from outside', t => {
  const names = new Set(chunks.map(({ fileName }) => fileName))
  for (const { imports } of chunks)
    assert.ok(
      imports.every(name => names.has(name)),
      `${imports}`,
    )
  const entryChunks = new Set()
  const visit = name => {
    if (entryChunks.has(name)) return
    entryChunks.add(name)
    for (const next of chunks.find(({ fileName }) => fileName === name).imports) visit(next)
  }
  visit(chunks.find(({ isEntry }) => isEntry).fileName)
  const entryBytes = brotliBytes(chunks.filter(({ fileName }) => entryChunks.has(fileName)))
  const allBytes = brotliBytes(chunks)
  t.diagnostic(`${entryBytes} bytes in the entry, ${allBytes} in all (brotli)`)
  assert.ok(entryBytes <= limits.entryBytes, `${entryBytes} bytes in the entry`)
  assert.ok(allBytes <= limits.allBytes, `${allBytes} bytes in all`)
})

test('bundled and minified, it computes what it computes in modules', async () => {
  const bundled = await import(app)
  for (const options of [{}, { arithmetic: 'f32' }, { kernels: 'reference' }]) {
    const [ours, expected] = [await bundled.load(bytes, options), await load(bytes, options)]
    assert.deepEqual(ours.run(input).output, expected.run(input).output)
  }
  await assert.rejects(bundled.load(new Uint8Array(9)), bundled.SternaError)
})

test('a compiled network fits its bundle: loader, kernels and calls', t => {
  const loaderBytes = brotliBytes(compiledChunks)
  const moduleBytes = brotliCompressSync(compiled.bytes).length
  const bundleBytes = loaderBytes + moduleBytes - compiled.parts.levels
  t.diagnostic(
    `${bundleBytes} bytes: ${loaderBytes} of the loader, ${moduleBytes} of the module (brotli), less ${compiled.parts.levels} of coded weights`,
  )
  assert.ok(bundleBytes <= limits.compiled.bundleBytes, `${bundleBytes} bytes`)
})

test('from nothing to the first answer of ResNet-20 in a bounded time', t => {
  for (const [name, scripts, limit] of [
    ['planned', [app, file], limits.startMs],
    ['compiled', [compiledApp, module], limits.compiled.startMs],
  ]) {
    // Other tests run beside this one: more processes are tried before it fails.
    const times = []
    while (times.length < 5 || (times.length < 30 && Math.min(...times) > limit))
      times.push(runScript(startScript, scripts).ms)
    times.sort((a, b) => a - b)
    t.diagnostic(
      `${name}: import, load and first run: median ${times[times.length >> 1].toFixed(1)} ms, fastest ${times[0].toFixed(1)} ms`,
    )
    assert.ok(times[0] <= limit, `${name}: ${times} ms`)
  }
})

test('a session of ResNet-20 holds little memory', async t => {
  const { memory } = (await load(bytes)).describe()
  const { held } = runScript(memoryScript, [app, file], '--expose-gc')
  const { held: heldCompiled } = runScript(memoryScript, [compiledApp, module], '--expose-gc')
  t.diagnostic(
    `planned ${memory.totalBytes} bytes; with the session's objects ${held} held, ${heldCompiled} where it is compiled`,
  )
  assert.ok(memory.totalBytes <= limits.planBytes, `${memory.totalBytes} bytes planned`)
  assert.ok(held <= limits.heldBytes, `${held} bytes held`)
  assert.ok(heldCompiled <= limits.compiled.heldBytes, `${heldCompiled} bytes held by a compiled one`)
})

const startScript = `
const bytes = readFileSync(file)
const startedMs = performance.now()
const { load } = await import(app)
const session = await load(bytes)
session.run(new Float32Array(3072))
print({ ms: performance.now() - startedMs })`

/** The first sessions bring compiled code, which later ones share; what each of those holds is the session. */
const memoryScript = `
const { load } = await import(app)
const bytes = readFileSync(file)
const start = async () => {
  const session = await load(bytes)
  session.run(new Float32Array(3072))
  return session
}
const measure = async () => {
  for (let i = 0; i < 4; i++) {
    gc()
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
for (let i = 0; i < 4; i++) await start()
const before = await measure()
const sessions = []
for (let i = 0; i < 8; i++) sessions.push(await start())
print({ held: Math.round(((await measure()) - before) / sessions.length) })`

function runScript(script, given, ...flags) {
  const code = `import { readFileSync } from 'node:fs'
    const [app, file] = ${JSON.stringify(given)}
    const print = value => console.log(JSON.stringify(value))
    ${script}`
  const args = [...flags, '--input-type=module', '-e', code]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}
