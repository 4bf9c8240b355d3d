/** What `decoders.ts` holds, from its source. */
import { assembleModule } from '../../../assembler/module.ts'
import { emitChecksum } from './checksum.ts'
import { emitFilter } from './filter.ts'
import { emitHalves } from './halves.ts'
import { mixedLevels } from './mixed-levels.ts'
import { setLevels } from './set-levels.ts'
import { emitSigns } from './signs.ts'
import { emitStates } from './states.ts'

/** The modules by the name of their constant; each small enough to be compiled at once on any page's own thread. */
export const assembleDecoders = (): Readonly<Record<string, Uint8Array>> => ({
  decoders: assembleModule([
    emitChecksum('addToChecksum'),
    emitHalves('decodeHalves'),
    emitFilter('decodeFilter', setLevels),
    emitStates('decodeStates'),
    emitSigns('sortSigns', false),
    emitSigns('sortWideSigns', true),
  ]),
  mixedDecoder: assembleModule([emitFilter('decodeMixedFilter', mixedLevels)]),
})

/** What `decoders.ts` says. */
export function decodersText(): string {
  const constants = Object.entries(assembleDecoders()).map(
    ([name, bytes]) => `export const ${name} =\n  '${btoa(String.fromCharCode(...bytes))}'\n`,
  )
  return `/** WebAssembly modules, base64. Made from \`source/\` by \`scripts/make-decoders.mjs\`. */\n${constants.join('\n')}`
}
