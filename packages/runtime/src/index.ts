export { SternaError, type SternaErrorCode, type SternaErrorOptions } from './errors.ts'
export { crc32 } from './file/crc32.ts'
export {
  type DenseTensor,
  type FileAccount,
  type FilePart,
  type FloatTensor,
  type Int8Tensor,
  type MagnitudeFactors,
  type PackedMetadata,
  type PackedModel,
  type PackedNode,
  type PackedTensor,
  type ReadSterna,
  readSterna,
  type TernaryTensor,
} from './file/index.ts'
export type * from './operators.ts'
