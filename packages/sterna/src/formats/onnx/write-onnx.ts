/**
 * OnnxModel -> the bytes of an ONNX file (ModelProto of onnx.proto3, https://onnx.ai). Tensors are written
 * as raw_data in the machine's byte order, which is little-endian wherever Node and browsers run.
 */
import { SternaError, type Tensor } from '../../core/index.ts'
import { onnxAttributeTypes, onnxDataTypes } from './data-types.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxValue } from './types.ts'

/** Protobuf readers accept messages below 2 GiB only. */
const limitBytes = 0x7fffffff

/** Writes a model; weights beyond 2 GiB are refused (ONNX would need external data). */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const graph = new ProtobufWriter()
  for (const node of model.graph.nodes) graph.message(1, writeNode(node))
  graph.string(2, model.graph.name)
  for (const [name, held] of model.graph.initializers) graph.message(5, writeTensor(held, name))
  for (const input of model.graph.inputs) graph.message(11, writeValue(input))
  for (const output of model.graph.outputs) graph.message(12, writeValue(output))

  const file = new ProtobufWriter().int(1, model.irVersion).string(2, model.producer).message(7, graph)
  for (const { domain, version } of model.opsets) {
    file.message(8, new ProtobufWriter().string(1, domain).int(2, version))
  }
  if (file.length > limitBytes) {
    throw new SternaError(
      'file/limit',
      `ONNX model "${model.graph.name}": ${file.length} bytes, a protobuf message holds at most ${limitBytes}`,
    )
  }
  return file.join()
}

function writeNode(node: OnnxNode): ProtobufWriter {
  const writer = new ProtobufWriter()
  for (const input of node.inputs) writer.string(1, input)
  for (const output of node.outputs) writer.string(2, output)
  writer.string(3, node.name).string(4, node.opType)
  for (const [name, attribute] of Object.entries(node.attributes))
    writer.message(5, writeAttribute(name, attribute))
  if (node.domain !== '') writer.string(7, node.domain)
  return writer
}

function writeAttribute(name: string, attribute: OnnxAttribute): ProtobufWriter {
  const writer = new ProtobufWriter().string(1, name)
  switch (attribute.kind) {
    case 'float':
      writer.float(2, attribute.value)
      break
    case 'int':
      writer.int(3, attribute.value)
      break
    case 'string':
      writer.string(4, attribute.value)
      break
    case 'tensor':
      writer.message(5, writeTensor(attribute.value))
      break
    case 'floats':
      for (const value of attribute.value) writer.float(7, value)
      break
    case 'ints':
      for (const value of attribute.value) writer.int(8, value)
      break
    case 'strings':
      for (const value of attribute.value) writer.string(9, value)
      break
    default:
      attribute satisfies never
  }
  return writer.int(20, onnxAttributeTypes[attribute.kind])
}

function writeTensor(held: Tensor, name?: string): ProtobufWriter {
  const writer = new ProtobufWriter()
  for (const size of held.shape) writer.int(1, size)
  writer.int(2, onnxDataTypes[held.dtype])
  if (name !== undefined) writer.string(8, name)
  return writer.bytes(9, new Uint8Array(held.data.buffer, held.data.byteOffset, held.data.byteLength))
}

function writeValue(value: OnnxValue): ProtobufWriter {
  const tensorType = new ProtobufWriter().int(1, onnxDataTypes[value.dtype])
  if (value.shape !== undefined) {
    const shape = new ProtobufWriter()
    for (const size of value.shape) {
      const dimension = new ProtobufWriter()
      shape.message(1, typeof size === 'number' ? dimension.int(1, size) : dimension.string(2, size))
    }
    tensorType.message(2, shape)
  }
  return new ProtobufWriter().string(1, value.name).message(2, new ProtobufWriter().message(1, tensorType))
}
