/** PyTorch's format since 1.6: a ZIP archive of `data.pkl`, `data/KEY` for each storage, `byteorder`. */
import { SternaError } from '../../core/index.ts'
import { ByteReader } from '../byte-reader.ts'
import { readZip } from '../zip.ts'
import { createTorchHost } from './host.ts'
import { materializeTensors, storageElementBytes } from './materialize.ts'
import { readPickle } from './pickle.ts'
import { findStateDict } from './state-dict.ts'
import type { PytorchFile } from './types.ts'
import type { StorageReference } from './values.ts'

export function readPytorchArchive(bytes: Uint8Array): PytorchFile {
  const archive = readZip(bytes)
  const pickles = archive.names.filter(name => name.endsWith('/data.pkl') || name === 'data.pkl')
  const [pickleName] = pickles
  if (pickleName === undefined || pickles.length > 1) {
    throw new SternaError(
      'file/unsupported',
      `PyTorch archive: expected one data.pkl, found ${pickles.length}`,
      {
        hint: 'is this a checkpoint written by torch.save?',
      },
    )
  }
  const folder = pickleName.slice(0, -'data.pkl'.length)
  if (archive.has(`${folder}constants.pkl`)) {
    throw new SternaError('file/unsupported', 'PyTorch archive: this is a TorchScript program', {
      hint: 'save the tensors alone: torch.save(model.state_dict(), path)',
    })
  }
  const byteOrder = `${folder}byteorder`
  if (archive.has(byteOrder)) {
    const order = new TextDecoder().decode(archive.read(byteOrder).subarray(0, 16))
    if (order !== 'little')
      throw new SternaError('file/unsupported', `PyTorch archive: byte order "${order}"`)
  }

  const pickle = archive.read(pickleName)
  const reader = new ByteReader('PyTorch data.pkl', pickle)
  const root = readPickle(reader, createTorchHost(pickle.length))
  if (reader.remaining > 0) throw reader.error('file/damaged', `${reader.remaining} bytes after the pickle`)

  const { tensors, skipped } = findStateDict(root, pickle.length)
  const storages = new Map<string, Uint8Array>()
  let contentBytes = 0
  for (const { storage } of tensors.values()) {
    if (storages.has(storage.key)) continue
    const content = archive.read(`${folder}data/${storage.key}`)
    contentBytes += content.length
    storages.set(storage.key, content)
  }
  const storageBytes = (storage: StorageReference) => {
    const content = storages.get(storage.key)!
    const expected = storage.count * storageElementBytes(storage.dtype)
    if (content.length < expected) {
      throw new SternaError(
        'file/damaged',
        `PyTorch archive: storage "${storage.key}" should hold ${expected} bytes, found ${content.length}`,
      )
    }
    return content
  }
  return { tensors: materializeTensors(tensors, storageBytes, contentBytes), skipped }
}
