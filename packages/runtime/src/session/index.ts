export type {
  Classification,
  ImageSession,
  Port,
  RunInput,
  RunOptions,
  RunOutput,
  RunResult,
} from './image-session.ts'
export { describeModel, type LoadOptions, load, loadModel } from './load.ts'
export type { Session } from './session.ts'
