export { denseWeight } from './dense-weight.ts'
export { assignQuantizers, checkLayers, type LayerRow, type Layers, layerRules } from './layer-table.ts'
export { selectLayers, weightNames } from './layers.ts'
export { measureLayers, measureTernary, type TernaryMeasure } from './measure.ts'
export {
  addMethod,
  createQuantizer,
  findMethod,
  findPreset,
  type Method,
  methods,
  type NewMethod,
  readMethodOption,
} from './methods.ts'
export {
  type BooleanOption,
  type ChoiceOption,
  describeValues,
  type MethodOption,
  type NumberOption,
} from './options.ts'
export type { MethodPreset } from './preset.ts'
export type {
  GroupAdvice,
  LayerContext,
  LayerRule,
  OptimiserAdvice,
  Quantized,
  Quantizer,
  QuantizerGradients,
  QuantizerState,
  StateRole,
  TernaryWeight,
} from './types.ts'
