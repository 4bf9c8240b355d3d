import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { read, readJson, root } from './repository.mjs'

const published = ['packages/runtime', 'packages/sterna']
const manifests = ['.', ...published].map(folder => ({
  folder,
  manifest: readJson(path.posix.join(folder, 'package.json')),
}))

for (const { folder, manifest } of manifests) {
  const { dependencies, devDependencies, peerDependencies, optionalDependencies } = manifest
  const pins = Object.entries({
    ...dependencies,
    ...devDependencies,
    ...peerDependencies,
    ...optionalDependencies,
  })

  test(`${manifest.name} pins every dependency to one version`, () => {
    const loose = pins.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    assert.deepEqual(loose, [])
  })

  test(`${manifest.name} is MIT, needs Node 20.19 and runs nothing when installed`, () => {
    assert.equal(manifest.license, 'MIT')
    assert.equal(manifest.engines.node, '>=20.19')
    const hooks = Object.keys(manifest.scripts ?? {}).filter(name =>
      /^(pre|post)?install$|^prepare/.test(name),
    )
    assert.deepEqual(hooks, [])
    assert.ok(existsSync(path.join(root, folder, 'LICENSE')), `${folder}/LICENSE is missing`)
    assert.equal(read(path.posix.join(folder, 'LICENSE')), read('LICENSE'))
  })
}

test('the runtime depends on nothing', () => {
  const { dependencies, peerDependencies, optionalDependencies } = readJson('packages/runtime/package.json')
  assert.deepEqual({ ...dependencies, ...peerDependencies, ...optionalDependencies }, {})
})

test('all packages carry one version, and sterna asks for the runtime of that version', () => {
  const versions = new Set(manifests.map(({ manifest }) => manifest.version))
  assert.equal(versions.size, 1, [...versions].join(', '))
  assert.equal(readJson('packages/sterna/package.json').dependencies['sterna-runtime'], [...versions][0])
})

test('the lockfile names no host, and only ONNX Runtime has install scripts (which stay off)', () => {
  const entries = Object.entries(readJson('package-lock.json').packages)
  assert.deepEqual(
    entries.filter(([, { resolved }]) => resolved !== undefined && !resolved.startsWith('packages/')),
    [],
  )
  const withScripts = entries.filter(([, { hasInstallScript }]) => hasInstallScript).map(([place]) => place)
  // protobufjs comes with onnxruntime-web, whose bundles hold what they need of it.
  assert.deepEqual(withScripts, ['node_modules/onnxruntime-node', 'node_modules/protobufjs'])
  assert.match(read('.npmrc'), /^ignore-scripts=true$/m)
})

test('the lockfile holds what every platform needs, so that npm ci works on each', () => {
  const { packages } = readJson('package-lock.json')
  const missing = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter(name => packages[`node_modules/${name}`] === undefined),
  )
  assert.deepEqual(missing, [])
})

for (const folder of published) {
  const { name, exports, bin = {} } = readJson(`${folder}/package.json`)

  test(`what ${name} publishes is its code, README, LICENSE and nothing else`, () => {
    const files = packedFiles(folder)
    const strange = files.filter(
      file =>
        !/^(package\.json|README\.md|LICENSE|bin\/[a-z-]+\.js|python\/[a-z-]+\.py|dist\/[a-z0-9/.-]+\.(js|d\.ts|wasm|html|css))$/.test(
          file,
        ),
    )
    assert.deepEqual(strange, [])
    assert.deepEqual(
      files.filter(file => /\.test\./.test(file)),
      [],
    )
    const promised = [...Object.values(exports).flatMap(Object.values), ...Object.values(bin)].map(file =>
      file.replace('./', ''),
    )
    for (const file of ['package.json', 'README.md', 'LICENSE', ...promised]) {
      assert.ok(files.includes(file), `${name} lacks ${file}`)
    }
    for (const file of Object.values(bin)) {
      assert.match(read(path.posix.join(folder, file)), /^#!\/usr\/bin\/env node\n/)
      if (process.platform !== 'win32')
        assert.equal(statSync(path.join(root, folder, file)).mode & 0o111, 0o111, `${file} is not executable`)
    }
  })
}

/** Paths, from the package's folder, of what `npm pack` would put into the archive. */
function packedFiles(folder) {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '-w', folder]
  const npm = process.env.npm_execpath
  const options = { cwd: root, encoding: 'utf8', shell: npm === undefined && process.platform === 'win32' }
  const { stdout, stderr, status } =
    npm === undefined ? spawnSync('npm', args, options) : spawnSync(process.execPath, [npm, ...args], options)
  assert.equal(status, 0, stderr)
  return Object.values(JSON.parse(stdout))[0].files.map(({ path: file }) => file)
}
