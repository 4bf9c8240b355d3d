export type { View } from './kernel.ts'
export { type ByteValues, runByteStep } from './run-bytes.ts'
export { runNode } from './run-node.ts'
export { runReference } from './run-reference.ts'
