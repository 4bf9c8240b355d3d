export { exportOnnx } from './export-onnx.ts'
export { type ImportOptions, importOnnx } from './import-onnx.ts'
