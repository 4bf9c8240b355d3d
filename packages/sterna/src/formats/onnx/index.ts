export { readOnnx } from './read-onnx.ts'
export type { OnnxAttribute, OnnxModel, OnnxNode, OnnxValue } from './types.ts'
export { writeOnnx } from './write-onnx.ts'
