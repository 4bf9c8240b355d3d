export type { Engine, EngineDevice, Executable, LoweringName, Program } from './types.ts'
