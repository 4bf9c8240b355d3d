/** The planner of operators that few packed networks have. */
export { chooseGeneralKernel } from './choose.ts'
