/** Writes `codec/wasm/decoders.ts` anew from its source; run `npm run build` before and after. */
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { assembleDecoders, decodersText } from '../packages/runtime/dist/codec/wasm/source/index.js'

const file = path.resolve(import.meta.dirname, '../packages/runtime/src/codec/wasm/decoders.ts')
writeFileSync(`${file}.new`, decodersText(assembleDecoders()))
renameSync(`${file}.new`, file)
