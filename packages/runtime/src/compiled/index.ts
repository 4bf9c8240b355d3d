/** Runs networks that `sterna export` made WebAssembly modules of: `sterna-runtime/compiled`. */
export { SternaError, type SternaErrorCode, type SternaErrorOptions } from '../errors.ts'
export type { PackedMetadata } from '../file/types.ts'
export type {
  Classification,
  Port,
  RunInput,
  RunOptions,
  RunOutput,
  RunResult,
} from '../session/image-session.ts'
export { type CompiledSession, type LoadOptions, load } from './load.ts'
