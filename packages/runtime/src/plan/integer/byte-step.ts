/** The steps of a plan that work on bytes, and the conversions between bytes and numbers. */
import type { ActivationRange, PackedNode } from '../../file/types.ts'
import type { Movement } from '../moves.ts'
import type { Window } from '../numbers/window.ts'
import type { LinearStep } from '../steps.ts'
import type { ByteLayout } from './byte-layout.ts'
import type { FilterRequantization } from './requantize.ts'

/** A value's bytes in one layout. */
export interface Place {
  /** Of this place; a value may have several. */
  readonly name: string
  readonly value: string
  readonly range: ActivationRange
  readonly layout: ByteLayout
  /** What the rows of zero hold: the range's zero, or 0 where padding must not win a maximum. */
  readonly border: number
}

export interface ByteConvolution {
  readonly op: 'convolution'
  readonly linear: LinearStep
  readonly window: Window
  readonly source: Place
  readonly residual: Place | undefined
  readonly target: Place
  readonly filters: readonly FilterRequantization[]
  /** Weights of one sign that a filter sums up in one part. */
  readonly inPart: number
  /** The bytes the fused Relu or Clip lets through. */
  readonly lowest: number
  readonly highest: number
}

/** A ternary matrix times the bytes of a vector; numbers come out. A convolution of a small map is one, too. */
export interface ByteMatrixLayer {
  /** −1, 0 or +1; [O, K]. */
  readonly assignment: Int8Array
  /** Real magnitudes × the input's scale, and less than 0 for `minus`: one for the layer or one for each output. */
  readonly plus: Float32Array
  readonly minus: Float32Array
  /** [O] */
  readonly bias?: Float32Array
  readonly inputZero: number
}

export interface ByteMatrix {
  readonly op: 'matrix'
  readonly linear: LinearStep
  readonly layer: ByteMatrixLayer
  /** Of the layer's assignment. */
  readonly nonZeros: number
  readonly source: Place
  /** Absent where the layer writes numbers. */
  readonly target: Place | undefined
}

/** A convolution with 8-bit weights: w = code × the filter's scale. */
export interface ByteDense {
  readonly op: 'dense'
  readonly linear: LinearStep
  readonly window: Window
  readonly source: Place
  readonly target: Place
  /** [O, C, kH, kW] */
  readonly codes: Int8Array
  /** Scale of each filter × the input's. */
  readonly factors: Float32Array
}

export type ByteOperation =
  | ByteConvolution
  | ByteDense
  | ByteMatrix
  | { readonly op: 'quantize'; readonly source: string; readonly target: Place }
  | { readonly op: 'dequantize'; readonly source: Place; readonly target: string }
  /** Copies a plain map into the planes that a window of a stride or of another size reads. */
  | { readonly op: 'spread'; readonly source: Place; readonly target: Place }
  /** Largest byte under a window; reads a spread map. */
  | { readonly op: 'maximum'; readonly window: Window; readonly source: Place; readonly target: Place }
  /** Largest of every two columns of two rows; reads the map as it lies. */
  | { readonly op: 'pair-maximum'; readonly source: Place; readonly target: Place }
  /** Mean of each channel as a number. */
  | { readonly op: 'mean'; readonly source: Place; readonly target: string }
  /** Bytes change places; `fill` of the movement is already a byte. */
  | {
      readonly op: 'move'
      readonly movement: Movement
      readonly sources: readonly Place[]
      readonly target: Place
    }

export interface ByteStep {
  readonly kind: 'bytes'
  /** The node computed here; of a conversion, the one it is made for. */
  readonly node: PackedNode
  readonly nodes: readonly PackedNode[]
  readonly operation: ByteOperation
  /** The value written. */
  readonly output: string
}

/** Places a step reads and writes. */
export function placesOf({ operation }: ByteStep): {
  readonly reads: readonly Place[]
  readonly writes?: Place
} {
  switch (operation.op) {
    case 'convolution': {
      const { source, residual, target } = operation
      return { reads: residual === undefined ? [source] : [source, residual], writes: target }
    }
    case 'matrix':
      return { reads: [operation.source], ...(operation.target && { writes: operation.target }) }
    case 'quantize':
      return { reads: [], writes: operation.target }
    case 'dequantize':
    case 'mean':
      return { reads: [operation.source] }
    case 'dense':
    case 'spread':
    case 'maximum':
    case 'pair-maximum':
      return { reads: [operation.source], writes: operation.target }
    case 'move':
      return { reads: operation.sources, writes: operation.target }
    default:
      return operation satisfies never
  }
}
