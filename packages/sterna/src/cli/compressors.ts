/** General compressors to compare with: those of Node, and xz where the machine has it. */
import { spawnSync } from 'node:child_process'
import { brotliCompressSync, gzipSync, constants as zlib } from 'node:zlib'
import type { Compressor } from '../pack/index.ts'

/** Each at the strongest setting that takes no more memory than usual. */
export function findCompressors(): Readonly<Record<string, Compressor>> {
  return {
    gzip: bytes => gzipSync(bytes, { level: 9 }).length,
    brotli: bytes =>
      brotliCompressSync(bytes, {
        params: { [zlib.BROTLI_PARAM_QUALITY]: 11, [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length },
      }).length,
    ...(runXz(new Uint8Array(0)) !== undefined && { xz: bytes => runXz(bytes)! }),
  }
}

/** Undefined where there is no xz that works. */
function runXz(bytes: Uint8Array): number | undefined {
  const { status, stdout } = spawnSync('xz', ['-6e', '--stdout'], {
    input: bytes,
    maxBuffer: 2 * bytes.length + 65_536,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  return status === 0 ? stdout.length : undefined
}
