/** The shape of a weight codec: how one tensor lies in its payload. */
import type { ByteReader } from '../byte-reader.ts'
import type { PackedTensor } from '../tensors.ts'

export type CodecName =
  | 'f32'
  | 'f16'
  | 'i8'
  | 'mask-sign'
  | 'sign'
  | 'small'
  | 'f16-coded'
  | 'i8-coded'
  | 'fast'
  | 'max'
  | 'tuned'

export interface TensorShape {
  readonly dims: readonly number[]
  /** The product of `dims`; 1 for a scalar. */
  readonly elements: number
  /** Size of the first axis; 1 for a scalar. */
  readonly filters: number
}

export interface WeightCodec {
  /** The byte in the tensor table; never reused. */
  readonly id: number
  readonly name: CodecName
  /** Range-coded: a byte may stand for many weights, so the file's limit on those applies. */
  readonly coded?: true
  /** No payload of this shape is shorter: checked before anything is allocated. */
  minimumBytes(shape: TensorShape): number
  /**
   * Reads exactly the payload; throws SternaError 'file/damaged' where it does not hold. With `listed`, a ternary
   * tensor comes as lists of what is added and subtracted, without a dense copy on the way.
   */
  decode(reader: ByteReader, shape: TensorShape, listed?: boolean): PackedTensor
}
