/** Decodes in WebAssembly where the host allows it, otherwise in plain TypeScript where that is at hand. */
import { SternaError } from '../errors.ts'
import type { PlainDecoders, TensorShape } from './codec.ts'
import type { FastEnd, FastString } from './fast.ts'
import type { RangeDecoder } from './range-decoder.ts'
import type { TernaryTarget } from './ternary.ts'
import type { CodedAssignment } from './ternary-model.ts'
import { decodeAssignmentInWasm } from './wasm/decode-assignment.ts'
import { decodeHalvesInWasm } from './wasm/decode-halves.ts'
import { decodeStatesInWasm } from './wasm/decode-states.ts'

type Plain = PlainDecoders | undefined

/** Levels in any order of the scan. */
export function decodeAssignment(
  coder: RangeDecoder,
  target: TernaryTarget,
  coded: CodedAssignment,
  plain: Plain,
): void {
  if (!decodeAssignmentInWasm(coder, target, coded)) needed(plain).decodeAssignment(coder, target, coded)
}

/** Bits of so many binary16 numbers. */
export const decodeHalves = (coder: RangeDecoder, count: number, plain: Plain): Uint16Array =>
  decodeHalvesInWasm(coder, count) ?? needed(plain).decodeHalves(coder, count)

/** The string of a `fast` payload. */
export const decodeStates = (
  string: FastString,
  shape: TensorShape,
  target: TernaryTarget,
  plain: Plain,
): FastEnd => decodeStatesInWasm(string, shape, target) ?? needed(plain).decodeStates(string, shape, target)

function needed(plain: Plain): PlainDecoders {
  if (plain !== undefined) return plain
  throw new SternaError('engine/unavailable', 'this host refuses the memory that decoding needs')
}
