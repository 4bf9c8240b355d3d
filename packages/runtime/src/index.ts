export { SternaError, type SternaErrorCode, type SternaErrorOptions } from './errors.ts'
export type * from './operators.ts'
