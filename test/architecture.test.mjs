import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { builtinModules } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { modules, read, readJson, repositoryFiles, root } from './repository.mjs'

/** The order in which data flows; a folder imports only from folders before it. */
const folderOrder = [
  'core',
  'formats',
  'data',
  'graph',
  'engine',
  'models',
  'scaling',
  'ternary',
  'train',
  'pack',
  'cost',
  'export',
  'report',
  'sweep',
  'cli',
]
const sterna = modules('packages/sterna')
const runtime = modules('packages/runtime')
const builtins = new Set(builtinModules)
const isBuiltin = specifier => specifier.startsWith('node:') || builtins.has(specifier)
const isPath = specifier => specifier.startsWith('packages/')
const folderOf = file => file.split('/')[3] ?? ''

/** Fails with every offence listed, so that one run shows all there is to mend. */
function assertNone(offences, rule) {
  assert.equal(offences.length, 0, `${rule}:\n  ${offences.join('\n  ')}`)
}

/** `file → import` for every import of these modules that `isWrong` names. */
function offendingImports(list, isWrong) {
  return list.flatMap(module =>
    module.imports.filter(target => isWrong(target, module)).map(target => `${module.file} → ${target}`),
  )
}

const shipped = list => list.filter(module => !module.isTest)

test('every folder of packages/sterna/src has a place in the order of data flow', () => {
  const strangers = sterna.filter(({ folder }) => folder !== '' && !folderOrder.includes(folder))
  assertNone(
    strangers.map(({ file }) => file),
    'in a folder that folderOrder does not know',
  )
})

test('a folder of packages/sterna/src imports only from folders before it', () => {
  const offences = offendingImports(
    shipped(sterna).filter(({ folder }) => folder !== ''),
    (target, { folder }) =>
      isPath(target) &&
      target.split('/').length > 4 &&
      folderOrder.indexOf(folderOf(target)) > folderOrder.indexOf(folder),
  )
  assertNone(offences, 'imports against the flow of data')
})

test('folders of the runtime do not import each other in a circle', () => {
  const edges = new Map()
  for (const { folder, imports } of shipped(runtime)) {
    for (const target of imports.filter(isPath).map(folderOf)) {
      if (folder === '' || target === folder || target.endsWith('.ts')) continue
      edges.set(folder, (edges.get(folder) ?? new Set()).add(target))
    }
  }
  const circles = []
  const visit = (folder, trail) => {
    if (trail.includes(folder)) circles.push([...trail.slice(trail.indexOf(folder)), folder].join(' → '))
    else for (const target of edges.get(folder) ?? []) visit(target, [...trail, folder])
  }
  for (const folder of edges.keys()) visit(folder, [])
  assertNone([...new Set(circles)], 'circles')
})

test('the runtime imports nothing but itself, and Node only from *.node.ts', () => {
  const offences = offendingImports(shipped(runtime), (target, { isNode }) =>
    isPath(target) ? !target.startsWith('packages/runtime/src/') : !(isNode && isBuiltin(target)),
  )
  assertNone(offences, 'imports that a browser or a user without other packages could not follow')
})

test('code that is not Node-only uses no Node built-in and imports no *.node.ts file', () => {
  const portable = shipped([...sterna, ...runtime]).filter(
    ({ folder, isNode }) => folder !== 'cli' && !isNode,
  )
  assertNone(
    offendingImports(portable, target => isBuiltin(target) || target.endsWith('.node.ts')),
    'Node-only imports',
  )
  const globals = portable.filter(({ code }) => /(?<![.\w'"])(Buffer|process)\./.test(code))
  assertNone(
    globals.map(({ file }) => file),
    'use of the globals Buffer or process',
  )
})

test('sterna imports only packages that its package.json depends on', () => {
  const { dependencies, peerDependencies } = readJson('packages/sterna/package.json')
  const allowed = Object.keys({ ...dependencies, ...peerDependencies })
  const offences = offendingImports(
    shipped(sterna),
    target =>
      !isPath(target) && !isBuiltin(target) && !allowed.includes(target.match(/^(@[^/]+\/)?[^/]+/)[0]),
  )
  assertNone(offences, 'undeclared dependencies')
})

const sourceFiles = repositoryFiles().filter(file => /\.(ts|mts|mjs|js|py)$/.test(file))

test('every source file is at most 20 KB', () => {
  const big = sourceFiles
    .map(file => [file, statSync(path.join(root, file)).size])
    .filter(([, sizeBytes]) => sizeBytes > 20 * 1024)
  assertNone(
    big.map(([file, sizeBytes]) => `${file}: ${sizeBytes} bytes`),
    'more than one concept in a file',
  )
})

test('source files and their folders have kebab-case names', () => {
  const wrong = sourceFiles.filter(
    file =>
      !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.node)?(\.test)?\.(ts|mjs|js|py)$/.test(file),
  )
  assertNone(wrong, 'names')
})

test('source holds no unfinished work, no switched-off types and no focused tests', () => {
  const marks =
    /\b(?:[T]ODO|[F]IXME|[X]XX)\b|@ts-(?:[i]gnore|[n]ocheck)|\b(?:test|it|describe|suite)\.[o]nly\(/
  assertNone(linesWith(sourceFiles, marks), 'marks')
})

test('no committed text names a machine, a private path or a registry host', () => {
  const text = repositoryFiles().filter(file =>
    /\.(ts|mts|mjs|js|py|md|json|jsonl|yml|html|css|svg|sh|txt)$|(^|\/)[^.]+$/.test(file),
  )
  const machine =
    /(?<![\w.])\/(?:[w]ork|[f]arm|[h]ome|[r]oot|[U]sers)\/|[r]egistry\.(?:npmjs|yarnpkg)|[d]eb\.debian|\.[l]ibrary\b/
  assertNone(linesWith(text, machine), 'lines')
})

test('no tracked text holds the marks of an unresolved merge', () => {
  const text = repositoryFiles().filter(file => !read(file).includes('\0'))
  assertNone(linesWith(text, /^(?:<{7}|[|]{7}|={7}|>{7})(?:\s|$)/), 'lines')
})

function linesWith(files, pattern) {
  return files.flatMap(file =>
    read(file)
      .split('\n')
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
      ),
  )
}
