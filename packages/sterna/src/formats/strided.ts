/** Elements of a strided view of a flat array, gathered into row-major order. */
import { SternaError } from '../core/index.ts'

export interface StridedView {
  /** Elements between the start of the source and the view's first element. */
  readonly offset: number
  readonly shape: readonly number[]
  /** Elements between neighbours along each axis, ≥ 0. */
  readonly strides: readonly number[]
}

/** Row-major strides of a shape. */
function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]!
  }
  return strides
}

/**
 * The bytes of a view, row-major: a part of `source` when the view is contiguous, else a copy.
 * The caller has bounded `count`, the view's number of elements.
 * @throws SternaError 'file/damaged' when the view leaves the source or its strides make no sense
 */
export function gatherStrided(
  source: Uint8Array,
  elementBytes: number,
  view: StridedView,
  count: number,
  where: string,
): Uint8Array {
  const { offset, shape, strides } = view
  const available = Math.floor(source.length / elementBytes)
  if (strides.length !== shape.length) {
    throw new SternaError('file/damaged', `${where}: ${shape.length} sizes but ${strides.length} strides`)
  }
  let last = offset
  for (let axis = 0; axis < shape.length; axis++) {
    const stride = strides[axis]!
    if (!Number.isSafeInteger(stride) || stride < 0) {
      throw new SternaError(
        'file/damaged',
        `${where}: stride ${stride} on axis ${axis}, expected a whole number ≥ 0`,
      )
    }
    last += stride * Math.max(0, shape[axis]! - 1)
  }
  if (count === 0) return new Uint8Array(0)
  if (!Number.isSafeInteger(offset) || offset < 0 || !(last < available)) {
    throw new SternaError(
      'file/damaged',
      `${where}: elements ${offset} to ${last} of a storage that holds ${available}`,
    )
  }
  const isContiguous = contiguousStrides(shape).every(
    (stride, axis) => shape[axis] === 1 || stride === strides[axis],
  )
  if (isContiguous) return source.subarray(offset * elementBytes, (offset + count) * elementBytes)

  const result = new Uint8Array(count * elementBytes)
  const index = new Array<number>(shape.length).fill(0)
  let position = offset
  for (let i = 0; i < count; i++) {
    // Byte by byte: the source need not be aligned, and copying it whole for each view could cost without bound.
    for (let byte = 0; byte < elementBytes; byte++) {
      result[i * elementBytes + byte] = source[position * elementBytes + byte]!
    }
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      position -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return result
}
