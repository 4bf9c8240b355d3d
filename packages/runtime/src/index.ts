export { SternaError, type SternaErrorCode, type SternaErrorOptions } from './errors.ts'
export type * from './operators.ts'
export { crc32 } from './file/crc32.ts'
