/** Versions of what computes, from this package's own manifest: its dependencies are pinned there. */
import { readFileSync } from 'node:fs'

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Manifest

export const versions = {
  sterna: manifest.version,
  onnxruntime: manifest.dependencies['onnxruntime-node'] ?? 'unknown',
  runtime: manifest.dependencies['sterna-runtime'] ?? 'unknown',
} as const
