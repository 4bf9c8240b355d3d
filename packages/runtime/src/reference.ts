/** Plain, slow kernels, the oracle of the fast ones: `sterna-runtime/reference`. */
export { runReference, type View } from './kernels/reference/index.ts'
