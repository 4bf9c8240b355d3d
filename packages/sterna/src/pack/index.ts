export { type CalibrationOptions, calibrate } from './calibrate.ts'
export { type RangeChoice, rangeChoices } from './choose-range.ts'
export {
  type CodingComparison,
  type CodingSize,
  type Compressor,
  compareCodings,
} from './compare-codings.ts'
export { detectTernary } from './detect-ternary.ts'
export { diffSterna, type FlippedLevels, type SternaDiff, type TensorDiff } from './diff.ts'
export { encodeStates } from './encode-fast.ts'
export { encodeTensor, type Profile } from './encode-tensor.ts'
export { entropyBits } from './entropy.ts'
export { type CodingMeasurement, type CodingSpeed, measureCodings } from './measure-codings.ts'
export { type Packed, type PackedNetwork, type PackOptions, packModel, withActivations } from './pack.ts'
export type { PackedLayer, PackReport } from './pack-report.ts'
export { type PackedToFit, packToFit } from './pack-to-fit.ts'
export { storedAssignment } from './stored-assignment.ts'
export { toModel } from './to-model.ts'
export { writeSterna } from './write-sterna.ts'
