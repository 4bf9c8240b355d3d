/** What makes a module of a network shares with the runtime that interprets it: `sterna-runtime/compile`. */
export * from './assembler/instructions.ts'
export { defineFunction, type Locals, type WasmFunction } from './assembler/module.ts'
export { assembleProgram, type Program, type Segment } from './assembler/program.ts'
export { at, words } from './codec/wasm/layout.ts'
export { emitStates } from './codec/wasm/source/states.ts'
export { type KernelCall, type Recording, recordModel } from './compile/record.ts'
export {
  type ListRegion,
  type LookupRegion,
  type TernaryRegion,
  ternaryRegions,
} from './compile/ternary-regions.ts'
export { type CompiledNote, compiledNoteName, compiledNoteVersion } from './session/compiled-note.ts'
