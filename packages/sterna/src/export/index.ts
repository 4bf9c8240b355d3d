export { exportWasm, type WasmExport } from './wasm/export-wasm.ts'
