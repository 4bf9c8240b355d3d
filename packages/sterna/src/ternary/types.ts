/**
 * What a quantizer is: pure functions that build graph. A method lives in one file, is registered in
 * `index.ts` and is known by name nowhere else.
 */
import type { Shape, Tensor } from '../core/index.ts'
import type { GraphBuilder, Value } from '../graph/index.ts'

/** What a quantizer may know of the tensor it works on. */
export interface LayerContext {
  /** The weight parameter's name. */
  readonly name: string
  /** [O, I/groups, kH, kW] of a convolution or [O, I] of a fully connected layer. */
  readonly shape: Shape
  /** Elements of this weight, and of the largest weight that is quantized in this network. */
  readonly size: number
  readonly largestSize: number
}

/** State beside the latent weight (magnitudes, thresholds), by short name: `{ positive, negative }`. */
export type QuantizerState<Item> = Readonly<Record<string, Item>>

/**
 * How a state tensor is treated by the optimiser. 'magnitude' and 'threshold' are learned; 'fixed' gets no
 * gradient and no update, and only `constrain` may replace it (thresholds that follow the latent weight).
 */
export type StateRole = 'magnitude' | 'threshold' | 'fixed'

export interface Quantized {
  /** The weight the network computes with, same shape as the latent weight. */
  readonly weight: Value
  /** Whatever `backward` wants to use again. */
  readonly saved: Readonly<Record<string, Value>>
}

export interface QuantizerGradients {
  /** dL/d latent; absent when the latent weight is frozen. */
  readonly latent?: Value
  /** dL/d state for every state tensor that is not 'fixed'. */
  readonly state: QuantizerState<Value>
}

/** The final answer for a layer: w = assignment × (positive or negative magnitude). */
export interface TernaryWeight {
  readonly shape: Shape
  /** −1, 0 or +1 each. */
  readonly assignment: Int8Array
  /** w_p ≥ 0: one number, or one per output filter. */
  readonly positive: Float32Array
  /** w_n ≥ 0, the magnitude of the negative level: one number, or one per output filter. */
  readonly negative: Float32Array
}

/** One configured method. `State` tensors are float32. */
export interface Quantizer {
  /** The method's registered name, e.g. 'ec2t'. */
  readonly method: string
  /** Every option with its value, as written to the run's config. */
  readonly options: Readonly<Record<string, unknown>>
  /** Which layers the method's authors leave float, unless the user says otherwise. */
  readonly defaultLayers: LayerRule
  /** The role of each state tensor. */
  readonly roles: Readonly<Record<string, StateRole>>
  /** Learning rates and weight decay the method's authors use per group, where they differ. */
  readonly optimiser?: OptimiserAdvice
  /**
   * 'joint' (the default): one pass steps everything. 'state-first': two passes on the same batch, the first steps
   * this quantizer's state alone, the second, computed with the new state, everything else.
   */
  readonly update?: 'joint' | 'state-first'
  /** State from the (pre-trained) latent weight. */
  init(latent: Tensor<'f32'>, layer: LayerContext): QuantizerState<Tensor<'f32'>>
  forward(b: GraphBuilder, latent: Value, state: QuantizerState<Value>, layer: LayerContext): Quantized
  /** From `gradient` = dL/d quantized weight. */
  backward(
    b: GraphBuilder,
    gradient: Value,
    latent: Value,
    state: QuantizerState<Value>,
    quantized: Quantized,
    layer: LayerContext,
  ): QuantizerGradients
  /**
   * After the optimiser step, with the new latent weight and state: floors, and the 'fixed' state that
   * follows the latent weight. Returns only what it changes.
   */
  constrain?(
    b: GraphBuilder,
    latent: Value,
    state: QuantizerState<Value>,
    layer: LayerContext,
  ): { readonly latent?: Value; readonly state?: QuantizerState<Value> }
  /** The final levels, in plain arithmetic: the assignment is exactly the one `forward` computes with. */
  assign(latent: Tensor<'f32'>, state: QuantizerState<Tensor<'f32'>>, layer: LayerContext): TernaryWeight
  /** A quantizer whose assignment no longer moves, with the latent tensor and state to continue from. */
  freeze?(
    latent: Tensor<'f32'>,
    state: QuantizerState<Tensor<'f32'>>,
    layer: LayerContext,
  ): {
    readonly quantizer: Quantizer
    readonly latent: Tensor<'f32'>
    readonly state: QuantizerState<Tensor<'f32'>>
  }
}

/** 'all', or which of the first and last weighted layers (in graph order) stay float. */
export type LayerRule = 'all' | 'float-first' | 'float-last' | 'float-first-last'

export interface GroupAdvice {
  readonly learningRate: number
  readonly weightDecay: number
  /** Where the group has an optimiser of its own; 'plain-sgd' is without momentum. */
  readonly optimiser?: 'sgd' | 'plain-sgd' | 'adam'
}

/** The optimiser the method was published with; the training configuration may override all of it. */
export interface OptimiserAdvice {
  readonly optimiser: 'sgd' | 'adam'
  readonly latent?: GroupAdvice
  readonly state?: GroupAdvice
  readonly rest?: GroupAdvice
}
