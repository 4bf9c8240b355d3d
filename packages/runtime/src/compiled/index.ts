/** Runs networks that `sterna export` made WebAssembly modules of: `sterna-runtime/compiled`. */
export { SternaError, type SternaErrorCode, type SternaErrorOptions } from '../errors.ts'
export type { PackedMetadata } from '../file/types.ts'
export type {
  Classification,
  ImageSession,
  Port,
  RunInput,
  RunOutput,
  RunResult,
} from '../session/image-session.ts'
export { load } from './load.ts'
