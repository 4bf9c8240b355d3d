/** TensorProto -> Tensor. The data may be raw little-endian bytes or one of several typed lists. */
import { type DType, SternaError, type Tensor } from '../../core/index.ts'
import { ELEMENT_BYTES, elementArrays } from '../elements.ts'
import { onnxDataTypeNames, onnxDataTypes } from './data-types.ts'
import type { ProtobufReader } from './protobuf-reader.ts'

const dtypes = new Map<number, DType>(
  Object.entries(onnxDataTypes).map(([dtype, code]) => [code, dtype as DType]),
)

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
  const itemBytes = ELEMENT_BYTES[dtype]
  const found = raw === undefined ? list.length : raw.length / itemBytes
  if (found !== size) reader.damaged(`${where} of shape [${dims}] holds ${size} elements, its data ${found}`)
  const data = new elementArrays[dtype](size)
  if (raw !== undefined) new Uint8Array(data.buffer).set(raw)
  else for (let i = 0; i < size; i++) data[i] = list[i]!
  if (dtype === 'bool') for (let i = 0; i < size; i++) data[i] = data[i] === 0 ? 0 : 1
  return { name, value: { dtype, shape: dims, data } }
}
