/** `npm run check`: types, lint and format, architecture. Changes no file; `npx biome check --write` does. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { build, ensureInstalled, root } from './ensure.mjs'

const node = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1
const bin = name => path.join(root, 'node_modules', name)

ensureInstalled()
const checks = {
  'types (tsc -b)': build,
  'lint and format (biome check)': () =>
    node(bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings'),
  'architecture and documents (test/)': () =>
    node('--test', '--test-reporter=spec', 'test/architecture.test.mjs', 'test/docs.test.mjs'),
}
const results = Object.entries(checks).map(([title, run]) => [title, run() === 0])
console.log()
for (const [title, passed] of results) console.log(`${passed ? 'ok  ' : 'FAIL'} ${title}`)
if (results.some(([, passed]) => !passed)) process.exitCode = 1
