export type { View } from './kernel.ts'
export { runNode } from './run-node.ts'
export { runReference, widenTensor } from './run-reference.ts'
