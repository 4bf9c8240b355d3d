export { readFileBytes, sha256Hex, writeFileAtomic } from './files.node.ts'
export { peakMemoryBytes } from './peak-memory.node.ts'
