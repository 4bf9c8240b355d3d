/** Decoders in plain TypeScript: the reference, and what decodes where there is no WebAssembly. */
import type { PlainDecoders } from '../codec.ts'
import { HalfModel } from '../coded-values.ts'
import { decodeAssignment } from './decode-assignment.ts'
import { decodeStates } from './decode-states.ts'

export const plainDecoders: PlainDecoders = {
  decodeAssignment,
  decodeStates,
  decodeHalves(coder, count) {
    const model = new HalfModel()
    return Uint16Array.from({ length: count }, () => model.code(coder, 0))
  },
}
