/**
 * Makes a clone ready to run: the right Node, dependencies as in package-lock.json, compiled packages.
 * Plain Node, nothing imported: this file runs before anything is installed. What it does goes to stderr.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

const oldestNode = [20, 19]

/** Checks Node, installs and builds where needed; ends the process with a message if one of them fails. */
export function ensure() {
  ensureInstalled()
  if (build() !== 0) fail('the packages do not compile; the messages above say where')
}

/** Checks Node's version, then installs if `node_modules` does not hold what package-lock.json asks for. */
export function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    fail(`Sterna needs Node ${oldestNode.join('.')} or newer; this is Node ${process.versions.node}`)
  }
  if (isInstalled()) return
  say('installing dependencies (npm ci)')
  const npm = process.env.npm_execpath
  const { status, error } =
    npm === undefined
      ? spawnSync('npm', ['ci'], { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' })
      : spawnSync(process.execPath, [npm, 'ci'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (error !== undefined) fail(`npm could not be started: ${error.message}`)
  if (status !== 0) fail(`npm ci ended with code ${status}; its messages above say why`)
}

/** Compiles both packages and returns tsc's exit code; unchanged sources cost a second or less. */
export function build() {
  if (!existsSync(path.join(root, 'packages/sterna/dist/index.js'))) say('compiling the packages (tsc -b)')
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-b'], { cwd: root, stdio: ['ignore', 2, 2] })
  for (const name of readdirSync(path.join(root, 'packages')))
    removeOrphans(path.join(root, 'packages', name))
  return status ?? 1
}

/** Runs a Node program in the caller's folder with this process's terminal, and ends as it ends. */
export function hand(program, args) {
  // Ctrl-C reaches the whole process group: the program decides what it means, this parent only waits.
  process.on('SIGINT', () => {})
  const { status, signal } = spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' })
  process.exit(status ?? (signal === 'SIGINT' ? 130 : 1))
}

/** Files under a folder, as absolute paths, sorted; `node_modules` is not entered. */
export function filesUnder(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .flatMap(entry => {
      const file = path.join(folder, entry.name)
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesUnder(file)
      return entry.isFile() ? [file] : []
    })
    .sort()
}

export function say(message) {
  process.stderr.write(`sterna: ${message}\n`)
}

function fail(message) {
  say(message)
  process.exit(1)
}

/** npm records in node_modules what it installed: every package of the lockfile must be there, optional ones may be absent. */
function isInstalled() {
  try {
    const read = file => JSON.parse(readFileSync(path.join(root, file), 'utf8')).packages
    const wanted = read('package-lock.json')
    const present = read('node_modules/.package-lock.json')
    return Object.entries(wanted).every(([place, { version, link, optional }]) => {
      if (!place.startsWith('node_modules/')) return true
      const found = present[place]
      return found === undefined ? optional === true : link === true || found.version === version
    })
  } catch {
    return false
  }
}

/** tsc leaves the output of deleted sources behind; a test or module of yesterday must not run or be published. */
function removeOrphans(folder) {
  const dist = path.join(folder, 'dist')
  for (const file of filesUnder(dist)) {
    const source = path.join(folder, 'src', path.relative(dist, file)).replace(/(\.d\.ts|\.js)$/, '.ts')
    if (source.endsWith('.ts') && !existsSync(source)) rmSync(file, { force: true })
  }
}
