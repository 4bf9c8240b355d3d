/** NumPy's .npz: a ZIP archive of .npy files. */
import { SternaError, type Tensor } from '../core/index.ts'
import { readNpy, writeNpy } from './npy.ts'
import { readZip, writeZip } from './zip.ts'

/** The arrays by name, in the order of the archive. @throws as readNpy, and for a broken archive */
export function readNpz(bytes: Uint8Array): Map<string, Tensor> {
  const archive = readZip(bytes)
  const arrays = new Map<string, Tensor>()
  for (const entry of archive.names) {
    if (!entry.endsWith('.npy')) {
      throw new SternaError('file/unsupported', `npz: entry "${entry}" is not an .npy array`)
    }
    arrays.set(entry.slice(0, -'.npy'.length), readNpy(archive.read(entry)))
  }
  return arrays
}

/** Writes the arrays uncompressed, sorted by name; the same arrays give the same bytes. */
export function writeNpz(arrays: ReadonlyMap<string, Tensor>): Uint8Array {
  const names = [...arrays.keys()].sort()
  return writeZip(new Map(names.map(name => [`${name}.npy`, writeNpy(arrays.get(name)!)])))
}
