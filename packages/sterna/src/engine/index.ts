export type { LoweredProgram, Lowering } from './lowering.ts'
export { standardLowering } from './standard/index.ts'
export type { Engine, EngineDevice, Executable, Program } from './types.ts'
