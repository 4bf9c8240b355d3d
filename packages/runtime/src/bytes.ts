/** What a model that computes on bytes needs besides the entry; loaded with it. */
export { bindKernels } from './kernels/wasm/bind-kernels.ts'
export { bindByteStep, fillPlaces } from './kernels/wasm/integer/bind-bytes.ts'
export * from './plan/integer/index.ts'
