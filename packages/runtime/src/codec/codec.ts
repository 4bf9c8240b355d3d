/** The shape of a weight codec: how one tensor lies in its payload. */
import type { ByteReader } from '../byte-reader.ts'
import type { PackedTensor } from '../tensors.ts'
import type { FastEnd, FastString } from './fast.ts'
import type { RangeDecoder } from './range-decoder.ts'
import type { TernaryTarget } from './ternary.ts'
import type { CodedAssignment } from './ternary-model.ts'

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
  /** Reads exactly the payload; throws SternaError 'file/damaged' where it does not hold. */
  decode(reader: ByteReader, shape: TensorShape, options?: DecodeOptions): PackedTensor
}

export interface DecodeOptions {
  /** A ternary tensor comes as lists of what is added and subtracted, without a dense copy on the way. */
  readonly listed?: boolean
  /** For hosts that refuse WebAssembly. */
  readonly plain?: PlainDecoders | undefined
}

/** What decodes in WebAssembly otherwise. */
export interface PlainDecoders {
  /** In any order. */
  decodeAssignment(coder: RangeDecoder, target: TernaryTarget, coded: CodedAssignment): void
  decodeStates(string: FastString, shape: TensorShape, target: TernaryTarget): FastEnd
  /** Bits of so many binary16 numbers. */
  decodeHalves(coder: RangeDecoder, count: number): Uint16Array
}
