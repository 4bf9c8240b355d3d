/**
 * PyTorch's format before 1.6: pickles of a magic number, the protocol, the system, the object and the
 * storage keys, one after the other; then for each key the number of elements and the elements.
 */
import { SternaError } from '../../core/index.ts'
import { ByteReader } from '../byte-reader.ts'
import { createTorchHost } from './host.ts'
import { materializeTensors, storageElementBytes } from './materialize.ts'
import { type PickleHost, readPickle } from './pickle.ts'
import { findStateDict } from './state-dict.ts'
import type { PytorchFile } from './types.ts'
import { isKind, type StorageDType } from './values.ts'

const MAGIC = 0x1950a86a20f9469cfc6cn
const PROTOCOL = 1001

/** The pickle of the magic number: protocol 2, an integer of 10 bytes, and the number. */
const MAGIC_BYTES = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]

/** Whether the bytes begin like a file of this format. */
export function isLegacyPytorch(bytes: Uint8Array): boolean {
  return MAGIC_BYTES.every((byte, i) => bytes[i] === byte)
}

export function readLegacyPytorch(bytes: Uint8Array): PytorchFile {
  const reader = new ByteReader('PyTorch file', bytes)
  const dtypes = new Map<string, StorageDType>()
  const host = noting(createTorchHost(bytes.length), dtypes)
  if (readPickle(reader, host) !== MAGIC) throw reader.error('file/bad-magic', 'not the magic number', 0)
  const protocol = readPickle(reader, host)
  if (protocol !== PROTOCOL) {
    throw reader.error('file/unsupported', `PyTorch protocol ${String(protocol)}, known is ${PROTOCOL}`)
  }
  const system = readPickle(reader, host)
  if (!isKind(system, 'dict') || system.entries.get('little_endian') !== true) {
    throw reader.error('file/unsupported', 'expected a file written on a little-endian machine')
  }
  const root = readPickle(reader, host)
  const keys = readPickle(reader, host)
  if (!isKind(keys, 'list')) throw reader.error('file/damaged', 'expected the list of storage keys')

  const start = reader.position
  const storages = new Map<string, Uint8Array>()
  for (const key of keys.items) {
    const dtype = typeof key === 'string' ? dtypes.get(key) : undefined
    if (typeof key !== 'string' || dtype === undefined || storages.has(key)) {
      throw reader.error('file/damaged', 'a storage that no tensor uses, or that comes twice')
    }
    const count = reader.u64('number of elements')
    storages.set(key, reader.take(count * storageElementBytes(dtype), `elements of storage "${key}"`))
  }
  if (reader.remaining > 0)
    throw reader.error('file/damaged', `${reader.remaining} bytes after the last storage`)

  const { tensors, skipped } = findStateDict(root, start)
  const made = materializeTensors(
    tensors,
    storage => {
      const content = storages.get(storage.key)
      if (!content) throw new SternaError('file/damaged', `PyTorch file: storage "${storage.key}" is missing`)
      return content
    },
    bytes.length - start,
  )
  return { tensors: made, skipped }
}

/** The file does not say how wide a storage's elements are; the references to it do. */
function noting(host: PickleHost, dtypes: Map<string, StorageDType>): PickleHost {
  return {
    ...host,
    persistent(id, reader) {
      const storage = host.persistent(id, reader)
      if (isKind(storage, 'storage')) {
        const known = dtypes.get(storage.key)
        if (known !== undefined && known !== storage.dtype) {
          throw reader.error('file/damaged', `storage "${storage.key}" is both ${known} and ${storage.dtype}`)
        }
        dtypes.set(storage.key, storage.dtype)
      }
      return storage
    },
  }
}
