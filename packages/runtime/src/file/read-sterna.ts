/** Reads a whole `.sterna` file (`docs/format.md`). */

import { ByteReader } from '../byte-reader.ts'
import type { CodecName } from '../codec/index.ts'
import { readContainer } from './container.ts'
import { readGraph } from './read-graph.ts'
import { readMetadata } from './read-metadata.ts'
import { readTensorTable } from './read-tensor-table.ts'
import type { FileAccount, FilePart, PackedModel, PackedTensor } from './types.ts'

export interface ReadSterna {
  readonly model: PackedModel
  readonly account: FileAccount
}

/**
 * Checks and decodes `bytes`, which must be exactly one file. Whatever the bytes, it returns or throws
 * SternaError: 'file/bad-magic', 'file/truncated', 'file/damaged', 'file/unsupported' or 'file/limit'.
 * What it allocates is bounded by a small multiple of the bytes given and, for range-coded weights, by 1024 of
 * them a byte and `fileLimits.codedElements`; nothing it returns shares memory with the bytes.
 */
export function readSterna(bytes: Uint8Array): ReadSterna {
  const container = readContainer(bytes)
  const entries = readTensorTable(bytes, container.tensors, container.payload)
  const { tensorNames, ...graph } = readGraph(bytes, container.graph, entries.length)
  const metadata = readMetadata(bytes, container.metadata)

  const tensors = new Map<string, PackedTensor>()
  const payloads: (FilePart & { readonly codec: CodecName })[] = []
  entries.forEach(({ codec, shape, start, end }, index) => {
    const tensor = tensorNames[index]!
    const reader = new ByteReader(bytes, start, end, `tensor "${tensor}"`)
    tensors.set(tensor, codec.decode(reader, shape))
    reader.expectEnd()
    payloads.push({ name: 'payload', bytes: end - start, tensor, codec: codec.name })
  })

  const sections: FilePart[] = [
    { name: 'header', bytes: container.headerBytes },
    { name: 'tensors', bytes: container.tensors.end - container.tensors.start },
    { name: 'graph', bytes: container.graph.end - container.graph.start },
    ...payloads,
  ]
  if (container.metadata !== undefined) {
    sections.push({ name: 'metadata', bytes: container.metadata.end - container.metadata.start })
  }
  return { model: { ...graph, tensors, metadata }, account: { totalBytes: bytes.length, sections } }
}
