export type { Engine, EngineDevice, Executable, Program } from './types.ts'
