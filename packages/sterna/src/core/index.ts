export { naming, namingLater, SternaError, type SternaErrorCode, type SternaErrorOptions } from './errors.ts'
export { Random, type RandomState } from './random.ts'
export {
  type DType,
  type DTypeArrays,
  expectF32,
  f32,
  type Shape,
  sameShape,
  scalar,
  sizeOf,
  type Tensor,
  tensor,
} from './tensor.ts'
export { closest } from './text.ts'
