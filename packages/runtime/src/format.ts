/** What a writer of `.sterna` files shares with the reader: `sterna-runtime/format`. */
export { forbiddenInNames } from './byte-reader.ts'
export {
  applyFactors,
  type CodecName,
  codecById,
  f16Codec,
  f32Codec,
  halfToFloat,
  i8Codec,
  type MagnitudeLayout,
  magnitudeBytes,
  magnitudeLayouts,
  maskSignCodec,
  signCodec,
  type TensorShape,
  turnSigns,
  type WeightCodec,
} from './codec/index.ts'
export {
  crc32,
  type FieldCoding,
  fixedHeaderBytes,
  formatVersion,
  magic,
  metadataProblem,
  type OperatorSchema,
  operatorById,
  operatorSchemas,
  sectionEntryBytes,
  sectionKinds,
} from './file/index.ts'
export { fileLimits } from './limits.ts'
