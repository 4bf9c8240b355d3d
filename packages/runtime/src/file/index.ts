export { activationProblem } from './activation-range.ts'
export { fixedHeaderBytes, formatVersion, magic, sectionEntryBytes, sectionKinds } from './container.ts'
export { crc32 } from './crc32.ts'
export { type FieldCoding, type OperatorSchema, operatorById, operatorSchemas } from './operator-schema.ts'
export type { ByteStream, CodedPart, PartDecoder, ReadOptions, ReadSterna } from './read-file.ts'
export { metadataProblem } from './read-metadata.ts'
export { previewProblem } from './read-preview.ts'
export { decodePart, readSterna, readSternaStream } from './read-sterna.ts'
export { partsId } from './read-tensor-table.ts'
export type {
  ActivationRange,
  DenseTensor,
  FileAccount,
  FilePart,
  FloatTensor,
  Int8Tensor,
  MagnitudeFactors,
  PackedMetadata,
  PackedModel,
  PackedNode,
  PackedTensor,
  Preview,
  TermsTensor,
  TernaryTensor,
} from './types.ts'
