/** Tensors as ONNX Runtime's JavaScript binding names them; the data is shared, not copied. */
import type * as ort from 'onnxruntime-node'
import { type DType, SternaError, type Tensor } from '../core/index.ts'
import type { OrtModule } from './ort-module.ts'

const ortTypes = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i64: 'int64',
  i32: 'int32',
  i16: 'int16',
  i8: 'int8',
  u8: 'uint8',
  bool: 'bool',
} as const satisfies Record<DType, ort.Tensor.Type>

const dtypes = new Map<string, DType>(Object.entries(ortTypes).map(([dtype, type]) => [type, dtype as DType]))

export function toOrt(runtime: OrtModule, { dtype, shape, data }: Tensor): ort.Tensor {
  return new runtime.Tensor(ortTypes[dtype], data as ort.Tensor.DataTypeMap[ort.Tensor.Type], shape)
}

/** From a tensor in CPU memory. */
export function fromOrt(value: ort.Tensor): Tensor {
  const dtype = dtypes.get(value.type)
  if (dtype === undefined)
    throw new SternaError('engine/failed', `ONNX Runtime returned a tensor of type ${value.type}`)
  return { dtype, shape: value.dims, data: value.data as Tensor['data'] }
}
