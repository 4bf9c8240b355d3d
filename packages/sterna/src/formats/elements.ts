/** Raw little-endian bytes ⇄ typed arrays. Copies, so that unaligned input is no matter. */
import { type DType, type DTypeArrays, SternaError, type Tensor } from '../core/index.ts'

/** Bytes an element takes in memory and in a file. */
export const ELEMENT_BYTES = {
  f32: 4,
  f64: 8,
  f16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
} as const satisfies Record<DType, number>

/** What holds the elements in memory. */
export const elementArrays = {
  f32: Float32Array,
  f64: Float64Array,
  f16: Uint16Array,
  i64: BigInt64Array,
  i32: Int32Array,
  i16: Int16Array,
  i8: Int8Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const satisfies { readonly [D in DType]: { new (buffer: ArrayBuffer): DTypeArrays[D] } }

/**
 * A typed array with a copy of the bytes.
 * @param where names the tensor in messages
 * @throws SternaError 'file/damaged' for a bool that is neither 0 nor 1
 */
export function elementsFromBytes<D extends DType>(
  dtype: D,
  bytes: Uint8Array,
  where: string,
): DTypeArrays[D] {
  if (dtype === 'bool') {
    const wrong = bytes.findIndex(byte => byte > 1)
    if (wrong >= 0) {
      throw new SternaError('file/damaged', `${where}: element ${wrong} is a bool with value ${bytes[wrong]}`)
    }
  }
  // Not `slice`: for a Node Buffer that makes a view, not a copy.
  const copy = new Uint8Array(bytes)
  return new elementArrays[dtype](copy.buffer) as DTypeArrays[D]
}

/** The tensor's elements as little-endian bytes: a view of its data, not a copy. */
export function bytesOfElements(tensor: Tensor): Uint8Array {
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
}

const MAX_RANK = 64

/**
 * The number of elements of a shape found in a file, or undefined when it is no shape: not a list of whole
 * numbers ≥ 0, more than 64 of them, or a size beyond 2⁵³ − 1.
 */
export function elementCount(shape: unknown): number | undefined {
  if (!Array.isArray(shape) || shape.length > MAX_RANK) return undefined
  let count = 1
  let empty = false
  for (const size of shape) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
    if (size === 0) empty = true
    else count *= size
    if (count > Number.MAX_SAFE_INTEGER) return undefined
  }
  return empty ? 0 : count
}

/** The host's byte order must be the files'; every platform JavaScript runs on today is little-endian. */
if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) {
  throw new SternaError('file/unsupported', 'the formats are little-endian, this machine is not')
}
