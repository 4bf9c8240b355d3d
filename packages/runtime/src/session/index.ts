export { describeModel, type LoadOptions, load, loadModel } from './load.ts'
export type { Classification, Port, RunInput, RunOutput, RunResult, Session } from './session.ts'
