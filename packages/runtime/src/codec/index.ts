/** The codecs, and what an encoder shares with them. */
export { memoryLimits } from './adaptive-bits.ts'
export type { CodecName, DecodeOptions, PlainDecoders, TensorShape, WeightCodec } from './codec.ts'
export { codecById } from './codec-by-id.ts'
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
export { type ContextSet, contextSets } from './contexts.ts'
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
export { codeAssignment } from './plain/code-assignment.ts'
export { plainDecoders } from './plain/index.ts'
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
  type Geometry,
  geometryOf,
  type ScanOrder,
  scan,
  scannedGeometry,
  type TernaryModel,
} from './ternary-model.ts'
export { mostTerms, sumOf, tunedCodec, tunedFlags, tunedMemory, tunedMixed } from './tuned.ts'
