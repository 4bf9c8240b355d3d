/**
 * Writes `codec/wasm/decoders.ts` anew from its source; run `npm run build` before and after. A constant that is new is first
 * written there by hand, as an empty string.
 */
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { decodersText } from '../packages/runtime/dist/codec/wasm/source/index.js'

const file = path.resolve(import.meta.dirname, '../packages/runtime/src/codec/wasm/decoders.ts')
writeFileSync(`${file}.new`, decodersText())
renameSync(`${file}.new`, file)
