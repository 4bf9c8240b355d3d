/**
 * Sterna for any JavaScript host: networks, ternarization, training and packing as functions over plain data.
 * What needs files, threads or downloads is in `sterna/node`; running packed files is `sterna-runtime`.
 */
export {
  type DType,
  f32,
  Random,
  type Shape,
  SternaError,
  type SternaErrorCode,
  type Tensor,
  tensor,
} from './core/index.ts'
export {
  type Augmentation,
  assembleCifar10,
  augmentations,
  createGlyphs,
  createLoader,
  type Dataset,
  type DatasetSplit,
  type GlyphsOptions,
  type ImageView,
  type LabelledImages,
  type Loader,
  type LoaderOptions,
  type Normalization,
  normalizationPresets,
  readCifar10Part,
  readMnist,
  splitDataset,
} from './data/index.ts'
export type { Engine, EngineDevice, Executable, Program } from './engine/index.ts'
export {
  readNpy,
  readNpz,
  readPng,
  readPytorch,
  readSafetensors,
  writeNpy,
  writeNpz,
  writePng,
  writeSafetensors,
} from './formats/index.ts'
export { type OnnxModel, readOnnx, writeOnnx } from './formats/onnx/index.ts'
export {
  type Graph,
  GraphBuilder,
  type GraphNode,
  gradients,
  type Model,
  type OperatorName,
  type Value,
  withBatchSize,
} from './graph/index.ts'
export { exportOnnx, importOnnx } from './graph/onnx/index.ts'
export {
  importWeights,
  lenet5,
  lenet5Classic,
  NetworkBuilder,
  resnetCifar,
  type WeightMapping,
  type ZooEntry,
  zoo,
  zooEntry,
} from './models/index.ts'
export {
  detectTernary,
  type Packed,
  type PackOptions,
  type PackReport,
  packModel,
  toModel,
} from './pack/index.ts'
export { type PackedReport, reportPacked } from './report/index.ts'
export {
  addMethod,
  createQuantizer,
  type LayerContext,
  type LayerRow,
  type LayerRule,
  type Layers,
  type Method,
  type MethodOption,
  type MethodPreset,
  measureLayers,
  measureTernary,
  methods,
  type NewMethod,
  type Quantizer,
  type QuantizerState,
  selectLayers,
  type TernaryMeasure,
  type TernaryWeight,
} from './ternary/index.ts'
export {
  type Checkpoint,
  createEnginePredictor,
  defaultConfig,
  type EpochRecord,
  type Evaluation,
  type EvaluationSet,
  evaluate,
  type LossName,
  type OptimiserConfig,
  type Predictor,
  parseSchedule,
  readCheckpoint,
  type Schedule,
  type TrainConfig,
  type TrainEvent,
  type TrainedNetwork,
  type TrainOptions,
  type TrainResult,
  train,
  writeCheckpoint,
} from './train/index.ts'
