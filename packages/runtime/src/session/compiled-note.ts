/** What a compiled module says of itself, as JSON in a custom section. */
import type { PackedMetadata } from '../file/types.ts'
import type { Shape } from '../plan/shape.ts'

export const compiledNoteName = 'sterna'
export const compiledNoteVersion = 1

/** An input or output as it lies in the module's memory: 32-bit floats, row-major. */
export interface PlacedValue {
  readonly name: string
  /** For one image. */
  readonly shape: Shape
  /** In bytes. */
  readonly address: number
}

export interface CompiledNote {
  readonly version: typeof compiledNoteVersion
  readonly name: string
  /** In what ternary layers compute. */
  readonly arithmetic: 'f32' | 'int'
  readonly inputs: readonly PlacedValue[]
  readonly outputs: readonly PlacedValue[]
  readonly metadata: PackedMetadata
}
