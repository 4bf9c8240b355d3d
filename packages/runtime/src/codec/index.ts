/** All weight codecs, by the id that stands in the tensor table. */
import type { WeightCodec } from './codec.ts'
import { codedF16Codec, codedI8Codec, maxCodec, smallCodec } from './coded.ts'
import { f16Codec, f32Codec, i8Codec } from './dense.ts'
import { fastCodec } from './fast.ts'
import { maskSignCodec, signCodec } from './ternary.ts'
import { tunedCodec } from './tuned.ts'

const codecs: readonly WeightCodec[] = [
  f32Codec,
  f16Codec,
  i8Codec,
  maskSignCodec,
  signCodec,
  smallCodec,
  codedF16Codec,
  codedI8Codec,
  fastCodec,
  maxCodec,
  tunedCodec,
]

export function codecById(id: number): WeightCodec | undefined {
  return codecs.find(codec => codec.id === id)
}

export { memoryLimits } from './adaptive-bits.ts'
export type { CodecName, TensorShape, WeightCodec } from './codec.ts'
export {
  codedF16Codec,
  codedI8Codec,
  maxCodec,
  shortestString,
  smallCodec,
  smallFlags,
  weightsPerByte,
} from './coded.ts'
export { ByteModel, HalfModel } from './coded-values.ts'
export { f16Codec, f32Codec, i8Codec } from './dense.ts'
export {
  type FastBlocks,
  fastBlocks,
  fastCodec,
  fastContexts,
  fastLanes,
  frequencyBits,
  lowestState,
  oneContextFlag,
} from './fast.ts'
export { halfToFloat } from './half.ts'
export { type ContextSet, contextSets } from './levels.ts'
export { type BitCoder, split } from './range-decoder.ts'
export {
  applyFactors,
  type MagnitudeLayout,
  magnitudeBytes,
  magnitudeLayouts,
  maskSignCodec,
  signCodec,
  turnSigns,
} from './ternary.ts'
export {
  codeAssignment,
  type Geometry,
  geometryOf,
  type ScanOrder,
  scan,
  scannedGeometry,
  type TernaryModel,
} from './ternary-model.ts'
export { mostTerms, sumOf, tunedCodec, tunedFlags, tunedMemory, tunedMixed } from './tuned.ts'
