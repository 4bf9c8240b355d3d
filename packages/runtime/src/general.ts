/** What operators besides layers, copies and the simplest elementwise ones need; loaded with the first of them. */
export { bindGeneralStep } from './kernels/wasm/general/bind-general.ts'
export * from './plan/general/index.ts'
