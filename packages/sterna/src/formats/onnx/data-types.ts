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

/** TensorProto.DataType by number, for messages. */
export const onnxDataTypeNames: Readonly<Record<number, string>> = {
  0: 'undefined',
  4: 'uint16',
  8: 'string',
  12: 'uint32',
  13: 'uint64',
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
}
