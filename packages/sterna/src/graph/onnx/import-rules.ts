/** For every ONNX operator that Sterna reads: how it becomes operators of the graph. */
import { importLayout } from './import-layout.ts'
import { importNetwork } from './import-network.ts'
import type { NodeImport } from './node-import.ts'

export interface ImportRule {
  /** Inputs that are settings (shapes, bounds, axes), not data. */
  readonly settings: readonly number[]
  readonly import: (n: NodeImport) => void
}

export const importRules: Readonly<Record<string, ImportRule>> = { ...importNetwork, ...importLayout }
