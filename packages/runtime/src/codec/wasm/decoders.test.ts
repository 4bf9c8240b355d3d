import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { assembleDecoders, decodersText } from './source/index.ts'

test('decoders.ts is what its source says', () => {
  const file = path.resolve(import.meta.dirname, '../../../src/codec/wasm/decoders.ts')
  assert.equal(readFileSync(file, 'utf8'), decodersText(), 'run scripts/make-decoders.mjs')
})

test('every module is small enough for a page to compile it at once', () => {
  for (const [name, bytes] of Object.entries(assembleDecoders()))
    assert.ok(bytes.length <= 4096, `${name}: ${bytes.length}`)
})
