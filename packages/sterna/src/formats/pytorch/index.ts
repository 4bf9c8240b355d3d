export { readPytorch } from './read.ts'
export type { Skipped } from './state-dict.ts'
export type { PytorchFile } from './types.ts'
