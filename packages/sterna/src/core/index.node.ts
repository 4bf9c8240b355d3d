export { readFileBytes, sha256Hex, writeFileAtomic } from './files.node.ts'
