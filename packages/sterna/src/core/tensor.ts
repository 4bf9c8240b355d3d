/** A tensor is data: a dtype, a shape and a flat row-major array. Nothing here computes with it. */
import { SternaError } from './errors.ts'

/** f16 holds raw IEEE half bits in a Uint16Array; bool holds 0 and 1. */
export interface DTypeArrays {
  f32: Float32Array
  f64: Float64Array
  f16: Uint16Array
  i64: BigInt64Array
  i32: Int32Array
  i16: Int16Array
  i8: Int8Array
  u8: Uint8Array
  bool: Uint8Array
}

export type DType = keyof DTypeArrays
export type Shape = readonly number[]

export interface Tensor<D extends DType = DType> {
  readonly dtype: D
  readonly shape: Shape
  readonly data: DTypeArrays[D]
}

/** Makes a tensor after checking that the shape's size is the data's length. */
export function tensor<D extends DType>(dtype: D, shape: Shape, data: DTypeArrays[D]): Tensor<D> {
  const size = sizeOf(shape)
  if (size !== data.length) {
    throw new SternaError(
      'tensor/invalid',
      `tensor: shape [${shape}] holds ${size} elements, data has ${data.length}`,
    )
  }
  return { dtype, shape, data }
}

/** A float32 tensor from numbers, a typed array, or (without data) zeros. */
export function f32(shape: Shape, data?: ArrayLike<number>): Tensor<'f32'> {
  const values =
    data === undefined
      ? new Float32Array(sizeOf(shape))
      : data instanceof Float32Array
        ? data
        : Float32Array.from(data)
  return tensor('f32', shape, values)
}

/** A float32 scalar, shape []. */
export function scalar(value: number): Tensor<'f32'> {
  return tensor('f32', [], Float32Array.of(value))
}

/** The number of elements of a shape; 1 for []. */
export function sizeOf(shape: Shape): number {
  let size = 1
  for (const dimension of shape) {
    if (!Number.isInteger(dimension) || dimension < 0) {
      throw new SternaError(
        'tensor/invalid',
        `shape [${shape}]: every size must be a whole number ≥ 0, found ${dimension}`,
      )
    }
    size *= dimension
  }
  return size
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis])
}

/** The data as float32, or an error that names the tensor. */
export function expectF32(value: Tensor | undefined, name: string): Tensor<'f32'> {
  if (value === undefined) throw new SternaError('tensor/invalid', `tensor "${name}" is missing`)
  if (value.dtype !== 'f32') {
    throw new SternaError('tensor/invalid', `tensor "${name}": expected f32, found ${value.dtype}`)
  }
  return value as Tensor<'f32'>
}
