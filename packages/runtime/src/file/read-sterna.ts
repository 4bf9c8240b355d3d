/** Reads a `.sterna` file (`docs/format.md`) on any host, with WebAssembly or without. */
import { ByteReader } from '../byte-reader.ts'
import { codecById } from '../codec/codec-by-id.ts'
import { plainDecoders } from '../codec/plain/index.ts'
import { SternaError } from '../errors.ts'
import {
  type ByteStream,
  type CodedPart,
  type PartDecoder,
  type ReadOptions,
  type ReadSterna,
  readBytes,
  readStream,
} from './read-file.ts'
import type { PackedTensor } from './types.ts'

/**
 * Checks and decodes `bytes`, which must be exactly one file. Whatever the bytes, it returns or throws
 * SternaError: 'file/bad-magic', 'file/truncated', 'file/damaged', 'file/unsupported' or 'file/limit'.
 * What it allocates is bounded by a small multiple of the bytes given and, for range-coded weights, by 1024 of
 * them a byte and `fileLimits.codedElements`; nothing it returns shares memory with the bytes.
 */
export function readSterna(bytes: Uint8Array, options: ReadOptions = {}): ReadSterna {
  return readBytes(bytes, { ...options, plain: plainDecoders })
}

/**
 * The same from a stream: tensors are decoded while the rest is still on its way, and the model is handed out once
 * every checksum has been compared. The first damage found ends the stream. `decode` is called for each tensor, and each
 * part of a large one, as soon as its bytes are here. Errors as `readSterna`, and whatever the stream or `decode` fails with.
 */
export function readSternaStream(
  stream: ByteStream,
  options: ReadOptions & { readonly decode?: PartDecoder } = {},
): Promise<ReadSterna> {
  return readStream(stream, { ...options, plain: plainDecoders })
}

/** What the file says of one part. Errors: those of `readSterna`; offsets count from the payload's start. */
export function decodePart({ codec: id, shape: dims }: CodedPart, payload: Uint8Array): PackedTensor {
  const codec = codecById(id)
  if (codec === undefined) throw new SternaError('file/unsupported', `codec ${id} is not known`)
  const elements = dims.reduce((product, size) => product * size, 1)
  const shape = { dims, elements, filters: dims[0] ?? 1 }
  const reader = new ByteReader(payload, 0, payload.length, 'part')
  if (payload.length < codec.minimumBytes(shape))
    throw reader.failure('file/damaged', `expected at least ${codec.minimumBytes(shape)} bytes`)
  const tensor = codec.decode(reader, shape, { plain: plainDecoders })
  reader.expectEnd()
  return tensor
}
