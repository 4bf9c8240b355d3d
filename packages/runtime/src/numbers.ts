/** What layers that compute in numbers need besides the entry; loaded with the first of them. */
export { bindStep } from './kernels/wasm/bind.ts'
export * from './plan/numbers/index.ts'
