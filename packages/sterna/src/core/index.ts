export { SternaError, type SternaErrorCode, type SternaErrorOptions } from './errors.ts'
export { Random, type RandomState } from './random.ts'
export { type DType, type DTypeArrays, expectF32, f32, sameShape, scalar, type Shape, sizeOf, type Tensor, tensor } from './tensor.ts'
