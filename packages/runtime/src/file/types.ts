/** What a `.sterna` file says, as plain data: the reader makes it, the planner consumes it, the packer writes it. */
import type { InferenceOperatorName, InferenceOperators } from '../operators.ts'

/** w = assignment × (positive where +1, negative where −1); negative magnitudes are stored as numbers ≥ 0. */
export interface TernaryTensor {
  readonly kind: 'ternary'
  readonly shape: readonly number[]
  /** −1, 0 or +1 each, row-major. */
  readonly assignment: Int8Array
  /** One number for the tensor, or one per output filter (first axis). */
  readonly positive: Float32Array
  readonly negative: Float32Array
  /** Present where the file holds the magnitudes as two numbers for the tensor times one per filter. */
  readonly factors?: MagnitudeFactors
}

/**
 * How a folded batch norm is stored. Filter c has the magnitudes |scale[c]| × positive and
 * |scale[c]| × negative; where scale[c] < 0 every sign of the filter is turned and the two change places.
 * The tensor's `assignment`, `positive` and `negative` already say the result; nobody but a writer needs this.
 */
export interface MagnitudeFactors {
  readonly positive: number
  readonly negative: number
  readonly scale: Float32Array
}

/** Already widened to float32; `storage` says how it lies in the file. */
export interface FloatTensor {
  readonly kind: 'dense'
  readonly shape: readonly number[]
  readonly storage: 'f32' | 'f16'
  readonly data: Float32Array
}

/** data[c, …] = codes[c, …] × scale[c], c being the first axis. */
export interface Int8Tensor {
  readonly kind: 'dense'
  readonly shape: readonly number[]
  readonly storage: 'i8'
  readonly data: Float32Array
  /** −127 … 127. */
  readonly codes: Int8Array
  readonly scale: Float32Array
}

export type DenseTensor = FloatTensor | Int8Tensor
export type PackedTensor = TernaryTensor | DenseTensor

/** Inputs are edge names: graph inputs, outputs of earlier nodes, or tensor names. */
export type PackedNode = {
  [Name in InferenceOperatorName]: {
    readonly op: Name
    readonly name: string
    readonly inputs: readonly string[]
    readonly outputs: readonly string[]
    readonly attributes: InferenceOperators[Name]
  }
}[InferenceOperatorName]

export interface PackedModel {
  readonly name: string
  /** Shapes with batch size 1 in the first position. */
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[]
  readonly outputs: readonly string[]
  readonly nodes: readonly PackedNode[]
  readonly tensors: ReadonlyMap<string, PackedTensor>
  /** Free-form facts: how the input is normalised, class names, where the network came from. */
  readonly metadata: PackedMetadata
}

export interface PackedMetadata {
  /** x = (pixel / 255 − mean) / std per channel, pixels 0–255. Absent: the input is used as given. */
  readonly normalization?: { readonly mean: readonly number[]; readonly std: readonly number[] }
  readonly classes?: readonly string[]
  readonly [key: string]: unknown
}

/** How many bytes of the file each part takes, in file order; the parts add up to the file's length. */
export interface FileAccount {
  readonly totalBytes: number
  readonly sections: readonly FilePart[]
}

export interface FilePart {
  readonly name: 'header' | 'tensors' | 'graph' | 'payload' | 'metadata'
  readonly bytes: number
  /** The tensor a payload belongs to, and the codec it is written in. */
  readonly tensor?: string
  readonly codec?: string
}
