/** The runtime as npm packs it, installed into an empty project: it resolves, type-checks and runs there. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { readSterna } from '../packages/runtime/dist/index.js'
import { resnet20 } from '../packages/runtime/dist/kernels/testing/models.js'
import { exportWasm } from '../packages/sterna/dist/export/index.js'
import { writeSterna } from '../packages/sterna/dist/pack/index.js'
import { root } from './repository.mjs'

const project = mkdtempSync(path.join(tmpdir(), 'sterna-install-'))
const program = `
import { readFile } from 'node:fs/promises'
import { load, type LoadOptions, type Session, SternaError } from 'sterna-runtime'
import { type CompiledSession, load as loadCompiled } from 'sterna-runtime/compiled'
import { formatVersion } from 'sterna-runtime/format'

const options: LoadOptions = { arithmetic: 'f32', threads: 2 }
const session: Session = await load(await readFile('model.sterna'), options)
const { output, shape } = await session.runBatch(new Float32Array(2 * 3072))
const { layers } = session.describe()
const compiled: CompiledSession = await loadCompiled(await readFile('model.wasm'))
const same: boolean = compiled.run(new Float32Array(3072)).output.every((value, i) => value === output[i])
const code: string = await load(new Uint8Array(3)).then(() => 'none', error => (error instanceof SternaError ? error.code : 'other'))
console.log(JSON.stringify({ length: output.length, shape, layers: layers.length, same, code, formatVersion }))
`

before(async () => {
  npm('pack', '--ignore-scripts', '--pack-destination', project, '-w', 'packages/runtime')
  const [archive] = readdirSync(project)
  const folder = path.join(project, 'app')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "app", "private": true, "type": "module" }')
  const bytes = writeSterna(resnet20(0.9))
  writeFileSync(path.join(folder, 'model.sterna'), bytes)
  writeFileSync(path.join(folder, 'model.wasm'), (await exportWasm(readSterna(bytes).model)).bytes)
  writeFileSync(path.join(folder, 'app.ts'), program)
  npm('install', '--offline', '--no-audit', '--no-fund', '--prefix', folder, path.join(project, archive))
})
after(() => rmSync(project, { recursive: true, force: true }))

for (const [module, resolution] of [
  ['nodenext', 'nodenext'],
  ['esnext', 'bundler'],
]) {
  test(`its types hold in strict TypeScript with ${resolution} resolution`, () => {
    const flags = [
      '--strict',
      '--target',
      'es2022',
      '--lib',
      'es2023,dom,esnext.disposable',
      '--types',
      'node',
    ]
    const roots = ['--typeRoots', path.join(root, 'node_modules/@types')]
    const where = ['--module', module, '--moduleResolution', resolution, '--outDir', 'out']
    run(path.join(root, 'node_modules/typescript/bin/tsc'), ...flags, ...roots, ...where, 'app.ts')
  })
}

test('compiled, it runs', () => {
  const { length, shape, layers, same, code, formatVersion } = JSON.parse(run('out/app.js'))
  assert.equal(length, 20)
  assert.deepEqual(shape, [2, 10])
  assert.ok(layers > 20)
  assert.ok(same)
  assert.equal(code, 'file/bad-magic')
  assert.equal(formatVersion, 1)
})

test('nothing else is installed with it', () => {
  const installed = readdirSync(path.join(project, 'app/node_modules')).filter(name => !name.startsWith('.'))
  assert.deepEqual(installed, ['sterna-runtime'])
})

function run(...args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    cwd: path.join(project, 'app'),
    encoding: 'utf8',
  })
  assert.equal(status, 0, `${stdout}${stderr}`)
  return stdout
}

function npm(...args) {
  const script = process.env.npm_execpath
  const options = { cwd: root, encoding: 'utf8', shell: script === undefined && process.platform === 'win32' }
  const { stderr, status } =
    script === undefined
      ? spawnSync('npm', args, options)
      : spawnSync(process.execPath, [script, ...args], options)
  assert.equal(status, 0, stderr)
}
