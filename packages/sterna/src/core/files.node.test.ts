import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { SternaError } from './errors.ts'
import { readFileBytes, sha256Hex, writeFileAtomic } from './files.node.ts'

const scratch = mkdtempSync(path.join(tmpdir(), 'sterna-files-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

function folder(name: string): string {
  const made = path.join(scratch, name)
  mkdirSync(made)
  return made
}

function failure(run: () => unknown): SternaError {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof SternaError, String(error))
    return error
  }
  return assert.fail('nothing was thrown')
}

test('a written file holds the bytes or the text as UTF-8, and nothing else lies beside it', () => {
  const here = folder('write')
  writeFileAtomic(path.join(here, 'a'), Uint8Array.of(1, 2, 255))
  writeFileAtomic(path.join(here, 'b'), 'größer')
  writeFileAtomic(path.join(here, 'b'), 'größer als')
  assert.deepEqual([...readFileSync(path.join(here, 'a'))], [1, 2, 255])
  assert.equal(readFileSync(path.join(here, 'b'), 'utf8'), 'größer als')
  assert.deepEqual(readdirSync(here).sort(), ['a', 'b'])
})

test('rewriting keeps the mode and follows a symbolic link', {
  skip: process.platform === 'win32' && 'no modes',
}, () => {
  const here = folder('mode')
  const file = path.join(here, 'file')
  const link = path.join(here, 'link')
  writeFileSync(file, 'old')
  chmodSync(file, 0o640)
  symlinkSync('file', link)
  writeFileAtomic(link, 'new')
  assert.equal(readFileSync(file, 'utf8'), 'new')
  assert.equal(statSync(file).mode & 0o777, 0o640)
  assert.ok(lstatSync(link).isSymbolicLink())
})

test('a write that fails says path, size, reason and hint', () => {
  const here = folder('fail')
  writeFileSync(path.join(here, 'file'), '')
  const missing = failure(() => writeFileAtomic(path.join(here, 'no', 'file'), 'four'))
  assert.equal(missing.code, 'file/write-failed')
  assert.match(missing.message, /no.file \(4 bytes\): the folder does not exist \(ENOENT\)/)
  assert.match(missing.hint ?? '', /create the folder/)
  assert.equal(failure(() => writeFileAtomic(here, 'x')).code, 'file/write-failed')
  assert.equal(failure(() => writeFileAtomic(path.join(here, 'file', 'x'), 'x')).code, 'file/write-failed')
  assert.deepEqual(readdirSync(here), ['file'])
})

test('when the disk takes no more, the old file stays and the temporary one goes', {
  skip: process.platform === 'win32' && 'needs ulimit',
}, () => {
  const here = folder('full')
  const file = path.join(here, 'checkpoint')
  writeFileSync(file, 'old')
  const module = pathToFileURL(path.join(import.meta.dirname, 'files.node.js')).href
  const program = `
    process.on('SIGXFSZ', () => {})
    const { writeFileAtomic } = await import(${JSON.stringify(module)})
    try { writeFileAtomic(${JSON.stringify(file)}, new Uint8Array(10_000_000)) }
    catch (error) { process.stdout.write(JSON.stringify([error.code, error.message, error.hint])) }`
  // A limit on the size of files stands in for a full disk: a part is written, then the system refuses.
  const command = 'ulimit -f 8 && exec "$0" --input-type=module -e "$1"'
  const child = spawnSync('/bin/sh', ['-c', command, process.execPath, program], { encoding: 'utf8' })
  assert.equal(child.status, 0, child.stderr)
  const [code, message, hint] = JSON.parse(child.stdout)
  assert.equal(code, 'file/write-failed')
  assert.match(message, /checkpoint \(10000000 bytes\): the file would be larger than allowed here \(EFBIG\)/)
  assert.match(hint, /free some space/)
  assert.equal(readFileSync(file, 'utf8'), 'old')
  assert.deepEqual(readdirSync(here), ['checkpoint'])
})

test('reading refuses what is missing, no file, or too long', () => {
  const here = folder('read')
  const file = path.join(here, 'file')
  writeFileSync(file, 'abc')
  assert.deepEqual(readFileBytes(file), Uint8Array.of(97, 98, 99))
  assert.deepEqual(readFileBytes(file, { maxBytes: 3 }), Uint8Array.of(97, 98, 99))
  assert.equal(failure(() => readFileBytes(file, { maxBytes: 2 })).code, 'file/limit')
  assert.match(failure(() => readFileBytes(path.join(here, 'gone'))).message, /gone: no such file/)
  assert.match(failure(() => readFileBytes(here)).message, /expected a file, found a folder/)
})

test('sha256Hex gives the published digest of "abc"', () => {
  assert.equal(
    sha256Hex(new TextEncoder().encode('abc')),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  )
})
