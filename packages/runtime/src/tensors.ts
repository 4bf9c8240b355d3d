/** The weights of a `.sterna` file as plain data. */

/** w = assignment × (positive where +1, negative where −1); negative magnitudes are stored as numbers ≥ 0. */
export interface TernaryTensor {
  readonly kind: 'ternary'
  readonly shape: readonly number[]
  /** −1, 0 or +1 each, row-major. */
  readonly assignment: Int8Array
  /** One number for the tensor, or one per output filter (first axis). */
  readonly positive: Float32Array
  readonly negative: Float32Array
  /** What `assignment` says, where it was decoded into this instead; then `assignment` is made on demand. */
  readonly lists?: SignLists
  /** Present where the file holds the magnitudes as two numbers for the tensor times one per filter. */
  readonly factors?: MagnitudeFactors
}

/** Where in each filter (first axis) weights are +1 and where −1. */
export interface SignLists {
  /** Filter f has +1 from ends[2f − 1] (0 for the first) to ends[2f], and −1 from there to ends[2f + 1]. */
  readonly ends: Uint32Array
  /** Counted from the filter's first weight, ascending in each list. */
  readonly positions: Uint16Array | Uint32Array
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

/** A sum of ternary tensors of one shape (residual expansion): data is that of the terms, added up in order. */
export interface TermsTensor {
  readonly kind: 'dense'
  readonly shape: readonly number[]
  readonly storage: 'terms'
  readonly data: Float32Array
  /** Two to four; where one has `factors`, all have, with the same scales. */
  readonly terms: readonly TernaryTensor[]
}

export type DenseTensor = FloatTensor | Int8Tensor | TermsTensor
export type PackedTensor = TernaryTensor | DenseTensor
