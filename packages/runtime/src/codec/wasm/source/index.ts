/** What `decoders.ts` holds, from its source. */
import { assembleModule } from '../../../assembler/module.ts'
import { emitChecksum } from './checksum.ts'
import { emitHalves } from './halves.ts'
import { emitLevels } from './levels.ts'
import { emitSigns } from './signs.ts'
import { emitStates } from './states.ts'

export const assembleDecoders = (): Uint8Array =>
  assembleModule([
    emitChecksum('addToChecksum'),
    emitHalves('decodeHalves'),
    emitLevels('decodeLevels'),
    emitStates('decodeStates'),
    emitSigns('sortSigns', false),
    emitSigns('sortWideSigns', true),
  ])

export function decodersText(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes))
  return `/** A WebAssembly module, base64. Made from \`source/\` by \`scripts/make-decoders.mjs\`. */
export const decoders =
  '${base64}'
`
}
