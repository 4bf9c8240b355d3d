import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** As on a processor without AVX, in code of V8's first compiler, where every session begins. */
const flags = ['--no-enable-avx', '--liftoff-only']
const suites = [
  'integer-conformance.test.js',
  'integer-small-maps.test.js',
  'conformance.test.js',
  'wasm/integer/byte-rows.test.js',
  '../codec/wasm/decoders.test.js',
]
const skip = process.arch !== 'x64' && `an ${process.arch} processor has no such extension`

for (const suite of suites) {
  test(`${suite} passes where the processor has no AVX`, { skip }, () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const file = fileURLToPath(new URL(suite, import.meta.url))
    const { stdout, status } = spawnSync(process.execPath, [...flags, file], { env, encoding: 'utf8' })
    assert.equal(status, 0, stdout)
  })
}
