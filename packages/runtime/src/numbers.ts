/** What layers that compute in numbers need besides the entry; loaded with the first of them. */
export { bindStep } from './kernels/wasm/bind.ts'
export { bindKernels } from './kernels/wasm/bind-kernels.ts'
export * from './plan/numbers/index.ts'
