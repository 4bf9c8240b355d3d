export type { Engine, EngineDevice, Executable, Fallback, LoweringName, Program } from './types.ts'
