/** The element types that ONNX's TensorProto.DataType and Sterna share, by ONNX's number. */
import type { DType } from '../../core/index.ts'

export const onnxDataTypes: Readonly<Record<DType, number>> = {
  f32: 1,
  u8: 2,
  i8: 3,
  i16: 5,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  f64: 11,
}

/** AttributeProto.AttributeType by attribute kind. */
export const onnxAttributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  floats: 6,
  ints: 7,
  strings: 8,
} as const
