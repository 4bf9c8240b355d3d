import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoders } from './decoders.ts'
import { assembleDecoders } from './source/index.ts'

test('the module in decoders.ts is what its source says, and small enough to be compiled anywhere at once', () => {
  const bytes = Uint8Array.from(atob(decoders), character => character.charCodeAt(0))
  assert.deepEqual(bytes, assembleDecoders(), 'run scripts/make-decoders.mjs')
  assert.ok(bytes.length <= 4096, 'browsers compile more than that on no page’s own thread')
})
