/**
 * `npm test [-- PART …]`: installs and builds what is missing, then runs every compiled test of the packages
 * and every cross-cutting test, two files at a time, each in a process of its own. PART keeps the files whose
 * path contains it. The last line reads `N passed, N failed`, with `, N skipped` if any were.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, ensureInstalled, filesUnder, root } from './ensure.mjs'

const concurrency = 2
/** Debian's Chromium brings a software adapter, for the tests of WebGPU where there is no GPU. */
const chromium = '/usr/lib/chromium'
const softwareGpu = existsSync(`${chromium}/vk_swiftshader_icd.json`)
  ? { LD_LIBRARY_PATH: chromium, VK_ADD_DRIVER_FILES: `${chromium}/vk_swiftshader_icd.json` }
  : {}
const fileLimitMs = 300_000
const reporter = pathToFileURL(path.join(root, 'scripts/test-events.mjs')).href

ensureInstalled()
const compiles = build() === 0
const parts = process.argv.slice(2)
const files = [...filesUnder(path.join(root, 'packages')), ...filesUnder(path.join(root, 'test'))]
  .map(file => path.relative(root, file).replaceAll(path.sep, '/'))
  .filter(file => /^packages\/[^/]+\/dist\/.*\.test\.js$|^test\/.*\.test\.mjs$/.test(file))
  .filter(file => parts.length === 0 || parts.some(part => file.includes(part)))

const scratch = mkdtempSync(path.join(tmpdir(), 'sterna-test-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

let passed = 0
const failures = []
const skips = []
let next = 0
if (!compiles)
  failures.push({ name: 'tsc -b', error: 'the packages do not compile; the messages above say where' })
if (files.length === 0)
  failures.push({ name: 'no test file', error: `none has ${parts.join(' or ') || 'any name'} in its path` })
else await Promise.all(Array.from({ length: concurrency }, runQueue))
finish(failures, passed, skips)

async function runQueue() {
  while (next < files.length) {
    const index = next++
    const file = files[index]
    const startedMs = performance.now()
    const { events: all, problem, output } = await runFile(file, path.join(scratch, `${index}.jsonl`))
    const events = all.filter(event => event.said === undefined)
    const tests = events.filter(event => !event.isSuite)
    const failed = events
      .filter(event => !event.passed && event.error !== undefined)
      .map(event => ({ ...event, file }))
    if (problem !== undefined && failed.length === 0)
      failed.push({ name: 'the file as a whole', file, error: problem })
    const skipped = tests.filter(test => test.passed && test.skip !== undefined)
    passed += tests.filter(test => test.passed && test.skip === undefined).length
    failures.push(...failed)
    skips.push(...skipped.map(skip => ({ ...skip, file })))
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    const counts = `${tests.length} tests${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`
    console.log(`${failed.length === 0 ? 'ok  ' : 'FAIL'} ${file}  ${counts}, ${seconds} s`)
    for (const { said } of all) if (said !== undefined) console.log(indent(said))
    for (const { name, error } of failed) console.log(indent(`✗ ${name}\n${indent(error)}`))
    if (failed.length > 0 && output.trim() !== '') console.log(indent(`output:\n${indent(output.trimEnd())}`))
  }
}

/** Runs one file; `problem` says why the process counts as failed even where no test of it does. */
function runFile(file, eventFile) {
  return new Promise(resolve => {
    const args = [`--test-reporter=${reporter}`, `--test-reporter-destination=${eventFile}`, file]
    const env = { ...process.env, ...(/gpu[^/]*$/.test(file) && softwareGpu) }
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const keep = chunk => {
      output = (output + chunk).slice(-20_000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    let problem
    const timer = setTimeout(() => {
      problem = `did not end within ${fileLimitMs / 1000} s`
      child.kill('SIGKILL')
    }, fileLimitMs)
    child.on('error', error => {
      problem = `could not be started: ${error.message}`
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const events = readEvents(eventFile)
      if (code !== 0) problem ??= `the process ended with ${signal ?? `code ${code}`}`
      else if (events.length === 0) problem = 'declares no test'
      resolve({ events, problem, output })
    })
  })
}

/** A killed process may leave no file or half a last line. */
function readEvents(eventFile) {
  try {
    const text = readFileSync(eventFile, 'utf8')
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line))
  } catch {
    return []
  }
}

/** Says what was left out and why, what failed, and the one line that programs read. */
function finish(failed, passedCount, skipped) {
  const counts = new Map()
  for (const { skip } of skipped) counts.set(skip, (counts.get(skip) ?? 0) + 1)
  if (skipped.length > 0) console.log('\nskipped:')
  for (const [reason, count] of counts) console.log(`  ${count} × ${reason}`)
  if (failed.length > 0) console.log('\nfailed:')
  for (const { file, name, error } of failed)
    console.log(`  ${file === undefined ? `${name}: ${error}` : `${file}: ${name}`}`)
  console.log(
    `\n${passedCount} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`,
  )
  process.exitCode = failed.length > 0 ? 1 : 0
}

function indent(text) {
  return text.replaceAll(/^/gm, '     ')
}
