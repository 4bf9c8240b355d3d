/** The planner of steps in numbers. */
export { chooseNumberKernel } from './choose.ts'
export { preparedBytes } from './prepared-bytes.ts'
export { assignScratch } from './scratch.ts'
