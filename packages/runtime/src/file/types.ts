/** What a `.sterna` file says, as plain data: the reader makes it, the planner consumes it, the packer writes it. */
import type { InferenceOperatorName, InferenceOperators } from '../operators.ts'
import type { PackedTensor } from '../tensors.ts'

export type * from '../tensors.ts'

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
  /** How values are held in integer arithmetic, by name: graph inputs and outputs of nodes. */
  readonly activations?: ReadonlyMap<string, ActivationRange>
  /** Free-form facts: how the input is normalised, class names, where the network came from. */
  readonly metadata: PackedMetadata
  readonly preview?: Preview
}

/** Something to show for the network, such as a picture of what it recognises. */
export interface Preview {
  /** In lower case: `image/png`. */
  readonly mediaType: string
  /** At most `fileLimits.previewBytes`, at least one. */
  readonly bytes: Uint8Array
}

/** A value held as bytes q from 0 to `max`: the number is scale × (q − zero). */
export interface ActivationRange {
  /** A normal float32 above 0. */
  readonly scale: number
  /** The byte that stands for 0, from 0 to `max`. */
  readonly zero: number
  /** The largest byte, from 1 to 255. */
  readonly max: number
}

export interface PackedMetadata {
  /** x = (pixel / 255 − mean) / std per channel, pixels 0–255. Absent: the input is used as given. */
  readonly normalization?: { readonly mean: readonly number[]; readonly std: readonly number[] }
  /** Names of the outputs in order. */
  readonly classes?: readonly string[]
  /** An SPDX expression, e.g. `MIT`. */
  readonly licence?: string
  /** What is to be done with an image before `normalization`, in words. */
  readonly preprocessing?: string
  /** How the network was made and what it reaches: method, data set, epochs, accuracy. */
  readonly training?: Readonly<Record<string, unknown>>
  readonly [key: string]: unknown
}

/** How many bytes of the file each part takes, in file order; the parts add up to the file's length. */
export interface FileAccount {
  readonly totalBytes: number
  readonly sections: readonly FilePart[]
}

export interface FilePart {
  readonly name: 'header' | 'tensors' | 'graph' | 'payload' | 'metadata' | 'activations' | 'preview'
  readonly bytes: number
  /** The tensor a payload belongs to, and the codec it is written in. */
  readonly tensor?: string
  readonly codec?: string
  /** How many parts it lies in, where there are several; `codec` is that of the first. */
  readonly parts?: number
}
