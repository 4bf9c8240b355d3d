/** The planner of steps on bytes. */
export { chooseByteKernel } from './choose-byte-kernel.ts'
export { lowerToBytes } from './lower.ts'
export { assignPlaces } from './places.ts'
export { preparedBytes } from './prepared-bytes.ts'
