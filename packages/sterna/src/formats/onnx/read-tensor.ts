/** TensorProto -> Tensor. The data may be raw little-endian bytes or one of several typed lists. */
import { type DType, type DTypeArrays, SternaError, type Tensor } from '../../core/index.ts'
import { onnxDataTypeNames, onnxDataTypes } from './data-types.ts'
import type { ProtobufReader } from './protobuf-reader.ts'

const dtypes = new Map<number, DType>(
  Object.entries(onnxDataTypes).map(([dtype, code]) => [code, dtype as DType]),
)

const arrays = {
  f32: Float32Array,
  f64: Float64Array,
  f16: Uint16Array,
  i64: BigInt64Array,
  i32: Int32Array,
  i16: Int16Array,
  i8: Int8Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const satisfies {
  [D in DType]: { new (length: number): DTypeArrays[D]; readonly BYTES_PER_ELEMENT: number }
}

/** The typed lists that hold small tensors, by element type. */
type List = 'floats' | 'doubles' | 'ints' | 'bigints'
const listOf: Readonly<Record<DType, List>> = {
  f32: 'floats',
  f64: 'doubles',
  f16: 'ints',
  i64: 'bigints',
  i32: 'ints',
  i16: 'ints',
  i8: 'ints',
  u8: 'ints',
  bool: 'ints',
}

export function dtypeOf(code: number, where: string): DType {
  const dtype = dtypes.get(code)
  if (dtype === undefined) {
    throw new SternaError(
      'file/unsupported',
      `ONNX file, ${where}: element type ${onnxDataTypeNames[code] ?? code}`,
      {
        hint: `supported are ${[...dtypes.values()].join(', ')}`,
      },
    )
  }
  return dtype
}

export function readTensor(reader: ProtobufReader): { name: string; value: Tensor } {
  const dims: number[] = []
  const lists = {
    floats: [] as number[],
    doubles: [] as number[],
    ints: [] as number[],
    bigints: [] as bigint[],
  }
  let name = ''
  let code = 0
  let raw: Uint8Array | undefined
  let isExternal = false
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) reader.ints(dims)
    else if (field === 2) code = reader.int()
    else if (field === 4) reader.floats(lists.floats)
    else if (field === 5) reader.ints(lists.ints)
    else if (field === 7) reader.bigints(lists.bigints)
    else if (field === 8) name = reader.string()
    else if (field === 9) raw = reader.bytes()
    else if (field === 10) reader.doubles(lists.doubles)
    else if (field === 14) isExternal = reader.int() === 1
    else reader.skip()
  }
  const where = `tensor "${name}"`
  if (isExternal) {
    throw new SternaError('file/unsupported', `ONNX file, ${where}: its data is in another file`, {
      hint: 'save the model with its weights inside the .onnx file',
    })
  }
  const dtype = dtypeOf(code, where)
  const size = dims.reduce((product, length) => product * length, 1)
  if (dims.some(length => !Number.isSafeInteger(length) || length < 0) || !Number.isSafeInteger(size)) {
    reader.damaged(`${where} has the shape [${dims.slice(0, 8)}]`)
  }
  const list = lists[listOf[dtype]]
  const itemBytes = arrays[dtype].BYTES_PER_ELEMENT
  const found = raw === undefined ? list.length : raw.length / itemBytes
  if (found !== size) reader.damaged(`${where} of shape [${dims}] holds ${size} elements, its data ${found}`)
  const data = new arrays[dtype](size)
  if (raw !== undefined) new Uint8Array(data.buffer).set(raw)
  else for (let i = 0; i < size; i++) data[i] = list[i]!
  if (dtype === 'bool') for (let i = 0; i < size; i++) data[i] = data[i] === 0 ? 0 : 1
  return { name, value: { dtype, shape: dims, data } }
}
