/**
 * The bytes of an ONNX file (ModelProto of onnx.proto3) -> OnnxModel. Fields that Sterna does not use are
 * skipped; what would change the meaning (external data, subgraphs, non-tensor values) is refused.
 */
import { SternaError, type Tensor } from '../../core/index.ts'
import { onnxAttributeTypes } from './data-types.ts'
import { ProtobufReader } from './protobuf-reader.ts'
import { dtypeOf, readTensor } from './read-tensor.ts'
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxValue } from './types.ts'

type AttributeKind = OnnxAttribute['kind']

const attributeKinds = new Map<number, AttributeKind>(
  Object.entries(onnxAttributeTypes).map(([kind, code]) => [code, kind as AttributeKind]),
)

/** @throws SternaError 'file/…' for anything that is no ONNX model or is more than Sterna reads */
export function readOnnx(bytes: Uint8Array): OnnxModel {
  const reader = new ProtobufReader(bytes)
  let irVersion = 0
  let producer = ''
  let graph: OnnxModel['graph'] | undefined
  const opsets: { domain: string; version: number }[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) irVersion = reader.int()
    else if (field === 2) producer = reader.string()
    else if (field === 7) graph = readGraph(reader.message())
    else if (field === 8) opsets.push(readOpset(reader.message()))
    else reader.skip()
  }
  if (graph === undefined) throw new SternaError('file/bad-magic', 'not an ONNX model: it holds no graph')
  return { irVersion, producer, opsets, graph }
}

function readOpset(reader: ProtobufReader): { domain: string; version: number } {
  let domain = ''
  let version = 0
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) domain = reader.string()
    else if (field === 2) version = reader.int()
    else reader.skip()
  }
  return { domain: domain === 'ai.onnx' ? '' : domain, version }
}

function readGraph(reader: ProtobufReader): OnnxModel['graph'] {
  let name = ''
  const nodes: OnnxNode[] = []
  const initializers = new Map<string, Tensor>()
  const inputs: OnnxValue[] = []
  const outputs: OnnxValue[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) nodes.push(readNode(reader.message()))
    else if (field === 2) name = reader.string()
    else if (field === 5) {
      const { name: tensorName, value } = readTensor(reader.message())
      if (initializers.has(tensorName)) reader.damaged(`two initializers are named "${tensorName}"`)
      initializers.set(tensorName, value)
    } else if (field === 11) inputs.push(readValue(reader.message()))
    else if (field === 12) outputs.push(readValue(reader.message()))
    else if (field === 15) unsupported(`graph "${name}"`, 'sparse initializers')
    else reader.skip()
  }
  return { name, nodes, initializers, inputs, outputs }
}

function readNode(reader: ProtobufReader): OnnxNode {
  let name = ''
  let opType = ''
  let domain = ''
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes: [string, OnnxAttribute][] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) inputs.push(reader.string())
    else if (field === 2) outputs.push(reader.string())
    else if (field === 3) name = reader.string()
    else if (field === 4) opType = reader.string()
    else if (field === 5) attributes.push(readAttribute(reader.message()))
    else if (field === 7) domain = reader.string()
    else reader.skip()
  }
  if (opType === '') reader.damaged(`node "${name}" has no operator`)
  return {
    opType,
    domain: domain === 'ai.onnx' ? '' : domain,
    name,
    inputs,
    outputs,
    attributes: Object.fromEntries(attributes),
  }
}

function readAttribute(reader: ProtobufReader): [string, OnnxAttribute] {
  let name = ''
  let code = 0
  let present: AttributeKind | undefined
  let float = 0
  let int = 0
  let string = ''
  let tensor: Tensor | undefined
  const floats: number[] = []
  const ints: number[] = []
  const strings: string[] = []
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.string()
    else if (field === 2) {
      float = reader.float()
      present = 'float'
    } else if (field === 3) {
      int = reader.int()
      present = 'int'
    } else if (field === 4) {
      string = reader.text()
      present = 'string'
    } else if (field === 5) {
      tensor = readTensor(reader.message()).value
      present = 'tensor'
    } else if (field === 7) {
      reader.floats(floats)
      present = 'floats'
    } else if (field === 8) {
      reader.ints(ints)
      present = 'ints'
    } else if (field === 9) {
      strings.push(reader.text())
      present = 'strings'
    } else if (field === 20) code = reader.int()
    else reader.skip()
  }
  // Files of the first ONNX versions have no type; then the field that is present tells.
  const kind = code === 0 ? present : attributeKinds.get(code)
  switch (kind) {
    case 'float':
      return [name, { kind, value: float }]
    case 'int':
      return [name, { kind, value: int }]
    case 'string':
      return [name, { kind, value: string }]
    case 'tensor':
      if (tensor === undefined) return reader.damaged(`attribute "${name}" has no tensor`)
      return [name, { kind, value: tensor }]
    case 'floats':
      return [name, { kind, value: floats }]
    case 'ints':
      return [name, { kind, value: ints }]
    case 'strings':
      return [name, { kind, value: strings }]
    case undefined:
      return unsupported(
        `attribute "${name}"`,
        code === 5 ? 'a graph inside a node' : `attribute type ${code}`,
      )
    default:
      return kind satisfies never
  }
}

/** ValueInfoProto: a name and a tensor type. */
function readValue(reader: ProtobufReader): OnnxValue {
  let name = ''
  let code = 0
  let shape: (number | string)[] | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) name = reader.string()
    else if (field === 2) {
      const type = reader.message()
      for (let kind = type.next(); kind !== 0; kind = type.next()) {
        if (kind === 1) ({ code, shape } = readTensorType(type.message()))
        else type.skip()
      }
    } else reader.skip()
  }
  const dtype = dtypeOf(code, `value "${name}"`)
  return shape === undefined ? { name, dtype } : { name, dtype, shape }
}

function readTensorType(reader: ProtobufReader): { code: number; shape: (number | string)[] | undefined } {
  let code = 0
  let shape: (number | string)[] | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) code = reader.int()
    else if (field === 2) {
      shape = []
      const dimensions = reader.message()
      for (let kind = dimensions.next(); kind !== 0; kind = dimensions.next()) {
        if (kind === 1) shape.push(readDimension(dimensions.message()))
        else dimensions.skip()
      }
    } else reader.skip()
  }
  return { code, shape }
}

/** A size, or the name of an unknown one. */
function readDimension(reader: ProtobufReader): number | string {
  let size: number | string = ''
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) size = reader.int()
    else if (field === 2) size = reader.string()
    else reader.skip()
  }
  return size
}

function unsupported(where: string, what: string): never {
  throw new SternaError('file/unsupported', `ONNX file, ${where}: ${what}`)
}
