export { SternaError, type SternaErrorCode, type SternaErrorOptions } from 'sterna-runtime'
