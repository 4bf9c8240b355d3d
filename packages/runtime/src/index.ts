export { SternaError, type SternaErrorCode, type SternaErrorOptions } from './errors.ts'
export { crc32 } from './file/crc32.ts'
export {
  type ActivationRange,
  type ByteStream,
  type CodedPart,
  type DenseTensor,
  decodePart,
  type FileAccount,
  type FilePart,
  type FloatTensor,
  type Int8Tensor,
  type MagnitudeFactors,
  type PackedMetadata,
  type PackedModel,
  type PackedNode,
  type PackedTensor,
  type PartDecoder,
  type Preview,
  type ReadOptions,
  type ReadSterna,
  readSterna,
  readSternaStream,
  type TermsTensor,
  type TernaryTensor,
} from './file/index.ts'
export type * from './operators.ts'
export {
  type Arithmetic,
  type IntegerValue,
  integerValues,
  type KernelName,
  type LayerDescription,
  type MemoryUse,
  type ModelDescription,
  planLimits,
} from './plan/index.ts'
export {
  type Classification,
  describeModel,
  type LoadOptions,
  load,
  loadModel,
  type Port,
  type RunInput,
  type RunOutput,
  type RunResult,
  type Session,
} from './session/index.ts'
