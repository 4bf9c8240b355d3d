/**
 * The inference operators and their attributes, in the one normal form that the toolkit's graph, the file
 * and the runtime share. Everything ONNX leaves implicit (auto_pad, shapes given as tensors, missing
 * defaults) is already resolved here. Feature maps are [N, C, H, W].
 */
export interface ConvAttributes {
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number]
  readonly groups: number
}

export interface PoolAttributes {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  /** top, left, bottom, right; padding never wins a maximum */
  readonly pads: readonly [number, number, number, number]
}

export interface AveragePoolAttributes extends PoolAttributes {
  /** Whether padded positions count in the divisor. */
  readonly countIncludePad: boolean
}

export interface ReduceAttributes {
  readonly axes: readonly number[]
  readonly keepDims: boolean
}

/** biome-ignore lint/complexity/noBannedTypes: an operator without attributes has exactly this type */
export type None = {}

/** Inputs are listed in order; `?` marks one that may be left out at the end. */
export interface InferenceOperators {
  Conv: ConvAttributes // x [N,C,H,W], weight [O,C/groups,kH,kW], bias? [O]
  Gemm: { readonly alpha: number; readonly beta: number; readonly transA: boolean; readonly transB: boolean } // a, b, c?
  MatMul: None // a [...,M,K], b [...,K,N]
  BatchNormalization: { readonly epsilon: number; readonly momentum: number } // x, scale, bias, mean, variance
  Relu: None
  Clip: { readonly min: number; readonly max: number }
  Sigmoid: None
  Tanh: None
  HardSigmoid: { readonly alpha: number; readonly beta: number }
  HardSwish: None
  Add: None
  Sub: None
  Mul: None
  Div: None
  MaxPool: PoolAttributes
  AveragePool: AveragePoolAttributes
  GlobalAveragePool: None // -> [N,C,1,1]
  ReduceMean: ReduceAttributes
  ReduceSum: ReduceAttributes
  Flatten: { readonly axis: number }
  Reshape: { readonly shape: readonly number[] } // 0 copies the input's size, one -1 is inferred
  Transpose: { readonly perm: readonly number[] }
  Pad: { readonly pads: readonly number[]; readonly value: number } // begins of all axes, then ends
  Slice: {
    readonly starts: readonly number[]
    readonly ends: readonly number[]
    readonly axes: readonly number[]
    readonly steps: readonly number[] // positive
  }
  Concat: { readonly axis: number }
  Squeeze: { readonly axes: readonly number[] }
  Unsqueeze: { readonly axes: readonly number[] }
  Softmax: { readonly axis: number }
  LogSoftmax: { readonly axis: number }
  Dropout: { readonly ratio: number } // the identity at inference
  Identity: None
}

export type InferenceOperatorName = keyof InferenceOperators
