/** The kernels of operators that few packed networks have. */
import type { ConvAttributes } from '../../operators.ts'

/** A function of one number. */
export type MapFunction =
  | { readonly op: 'Sigmoid' | 'Tanh' | 'HardSwish' }
  | { readonly op: 'HardSigmoid'; readonly alpha: number; readonly beta: number }

/** Row-major [outer, size, inner], of which the middle goes. */
export interface FoldShape {
  readonly outer: number
  readonly size: number
  readonly inner: number
}

export interface WindowGeometry extends Omit<ConvAttributes, 'groups'> {
  readonly kernel: readonly [number, number]
}

export type WindowFold =
  | { readonly fold: 'max' }
  /** @member countsPads whether the divisor is the window's area wherever it lies */
  | { readonly fold: 'mean'; readonly countsPads: boolean }
  | { readonly fold: 'dot'; readonly hasBias: boolean }

export type GeneralKernel =
  /** The same function of every number. */
  | { readonly name: 'map'; readonly function: MapFunction }
  /** Of two values, sizes of 1 stretch. */
  | { readonly name: 'broadcast'; readonly op: 'Add' | 'Sub' | 'Mul' | 'Div' }
  /** Batch normalization. */
  | { readonly name: 'normalize'; readonly epsilon: number }
  | ({
      readonly name: 'softmax'
      readonly logarithm: boolean
      readonly workFloats: number
    } & FoldShape)
  /** Sums over any axes, one run of neighbours after the other. */
  | {
      readonly name: 'fold'
      readonly passes: readonly FoldShape[]
      readonly scale: number
      readonly workFloats: number
    }
  /** A sliding window of any kind, one output at a time. */
  | {
      readonly name: 'window'
      readonly geometry: WindowGeometry
      readonly folds: WindowFold
      readonly groups: number
    }
  /** Products of matrices. */
  | ({ readonly name: 'product'; readonly workFloats: number } & ProductShape)

/** alpha · a [rows, inner] · b [inner, columns], for each pair of matrices. */
export interface ProductShape {
  readonly rows: number
  readonly inner: number
  readonly columns: number
  readonly transA: boolean
  readonly transB: boolean
  readonly alpha: number
  /** Of a third operand, which is added. */
  readonly beta: number | undefined
  /** The axes before rows and columns, and how many matrices further each leads in a and in b. */
  readonly stack: readonly { readonly size: number; readonly steps: readonly [number, number] }[]
}
