/**
 * A network, a training step and everything between is a graph of operators with static shapes.
 * Plain, readonly data: `GraphBuilder` makes it, passes map it, lowerings turn it into what an engine runs.
 */
import type {
  AveragePoolAttributes,
  ConvAttributes,
  InferenceOperators,
  None,
  PoolAttributes,
  ReduceAttributes,
} from 'sterna-runtime'
import type { DType, Shape, Tensor } from '../core/index.ts'

/** Operators that only derivatives, quantizers and optimisers need; the runtime never sees them. */
export interface TrainingOperators {
  // elementwise, with broadcasting where there are two inputs
  Neg: None
  Abs: None
  Exp: None
  Log: None
  Sqrt: None
  Reciprocal: None
  IsPositive: None // 1 where x > 0, else 0 (f32)
  Round: None // to the nearest whole number, ties to the even one; its derivative is taken as 1 (straight through)
  Min: None
  Max: None
  Clamp: None // x, low, high (one element each) -> x brought into [low, high]
  Dot: None // x, y of one shape -> the sum of x·y, shape []
  Expand: { readonly shape: readonly number[] }
  ReduceMin: ReduceAttributes
  ReduceMax: ReduceAttributes
  // derivatives of the inference operators
  ConvInputGradient: ConvAttributes & { readonly inputShape: Shape } // dy, weight -> dx
  ConvWeightGradient: ConvAttributes & { readonly weightShape: Shape } // x, dy -> dweight
  MaxPoolGradient: PoolAttributes // x, y, dy -> dx (the first maximum of a window receives it)
  AveragePoolGradient: AveragePoolAttributes & { readonly inputShape: Shape } // dy -> dx
  /** Batch statistics over all axes but 1: x, scale, bias -> y, mean, variance (biased), inverseStd. */
  BatchNormalizationTraining: { readonly epsilon: number }
  /** x, dy, scale, mean, inverseStd -> dx, dscale, dbias. */
  BatchNormalizationGradient: None
  /** The adjoint of Slice: dy -> dx of `inputShape`, zero outside the slice. */
  SliceGradient: InferenceOperators['Slice'] & { readonly inputShape: Shape }
  // ordering, on 1-D tensors
  SortDescending: None // x [n] -> x sorted [n]
  CumulativeSum: None // x [n] -> running sums [n]
  /** values [n], key [n] -> values at the first maximum of key, shape []. */
  TakeAtMaximum: None
}

export type Operators = InferenceOperators & TrainingOperators
export type OperatorName = keyof Operators

/** One operator application. `name` is unique in its graph and is what errors and reports cite. */
export type GraphNode = {
  [Name in OperatorName]: {
    readonly op: Name
    readonly name: string
    readonly inputs: readonly string[]
    readonly outputs: readonly string[]
    readonly attributes: Operators[Name]
  }
}[OperatorName]

/** A named edge of the graph. */
export interface Value {
  readonly name: string
  readonly dtype: DType
  readonly shape: Shape
}

export interface Graph {
  readonly name: string
  /** Given anew at every run. */
  readonly inputs: readonly Value[]
  /** Learned tensors and running statistics: named here, held by whoever runs the graph. */
  readonly parameters: readonly Value[]
  readonly constants: ReadonlyMap<string, Tensor>
  /** In an order in which every input is defined before it is used. */
  readonly nodes: readonly GraphNode[]
  readonly outputs: readonly string[]
  /** Every named edge with its shape: inputs, parameters, constants and node outputs. */
  readonly values: ReadonlyMap<string, Value>
}

/** A network and its numbers; `parameters` has one tensor for each of `graph.parameters`. */
export interface Model {
  readonly graph: Graph
  readonly parameters: ReadonlyMap<string, Tensor>
}
