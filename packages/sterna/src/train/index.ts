export {
  CHECKPOINT_VERSION,
  type Checkpoint,
  readCheckpoint,
  type TrainProgress,
  writeCheckpoint,
} from './checkpoint.ts'
export {
  checkConfig,
  type OptimiserConfig,
  optimiserOf,
  type ParameterGroup,
  type PerGroup,
  parameterGroups,
  type TrainConfig,
} from './config.ts'
export {
  argMax,
  createEnginePredictor,
  type EnginePredictor,
  type Evaluation,
  type EvaluationSet,
  evaluate,
  type Predictor,
} from './evaluate.ts'
export type { EpochRecord, TrainEvent } from './events.ts'
export { type LossName, lossNames } from './loss.ts'
export { type ConfigOverrides, defaultConfig, type GroupNumbers } from './presets.ts'
export { materialize, type QuantizedLayers, quantizeNetwork } from './quantized-network.ts'
export { parseSchedule, type Schedule, scheduleFactor } from './schedule.ts'
export { buildStep, type StepProgram, stepInputs, stepScalars } from './step-graph.ts'
export { type TrainedNetwork, type TrainOptions, type TrainResult, train } from './trainer.ts'
