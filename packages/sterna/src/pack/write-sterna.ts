/** Writes a `.sterna` file (`docs/format.md`): the same model gives the same bytes. */
import type { PackedModel, Preview } from 'sterna-runtime'
import {
  crc32,
  fileLimits,
  fixedHeaderBytes,
  formatVersion,
  magic,
  metadataProblem,
  partsId,
  previewProblem,
  sectionEntryBytes,
  sectionKinds,
} from 'sterna-runtime/format'
import { SternaError } from '../core/index.ts'
import { ByteWriter } from './byte-writer.ts'
import { encodeParts } from './encode-parts.ts'
import type { Profile } from './encode-tensor.ts'
import { writeActivations } from './write-activations.ts'
import { tensorOrder, writeGraph } from './write-graph.ts'

/**
 * The whole file. Sixteen-bit fields are rounded to the nearest, nodes without tensors lose their names, and
 * tensors are called after the node that reads them: what `readSterna` gives back is the model from then on,
 * and writing that again gives the same bytes. Large tensors lie in parts of about `partBytes` (64 KiB) or more each,
 * from each of which a reader can start. Errors: 'tensor/invalid', 'file/limit', 'graph/attribute',
 * 'graph/unknown-value', 'graph/shape'.
 */
export function writeSterna(model: PackedModel, profile: Profile = 'small', partBytes?: number): Uint8Array {
  const order = tensorOrder(model)
  const encoded = order.map(name => ({
    tensor: model.tensors.get(name)!,
    ...encodeParts(model.tensors.get(name)!, name, profile, partBytes),
  }))

  const table = new ByteWriter()
  table.count(order.length, 0, fileLimits.tensors, 'number of tensors')
  const payload = new ByteWriter()
  encoded.forEach(({ tensor, filtersEach, parts }, index) => {
    const isOne = parts.length === 1
    table.u8(isOne ? parts[0]!.codec.id : partsId)
    table.shape(tensor.shape, `tensor "${order[index]}"`)
    if (!isOne) table.varint(filtersEach)
    for (const part of parts) {
      if (!isOne) table.u8(part.codec.id)
      table.varint(part.payload.length)
      payload.bytes(part.payload)
    }
  })

  const sections: [kind: number, bytes: Uint8Array][] = [
    [sectionKinds.tensors, table.finish()],
    [sectionKinds.graph, writeGraph(model, order)],
    [sectionKinds.payload, payload.finish()],
  ]
  const metadata = metadataBytes(model)
  if (metadata !== undefined) sections.push([sectionKinds.metadata, metadata])
  const activations = writeActivations(model, order)
  if (activations !== undefined) sections.push([sectionKinds.activations, activations])
  if (model.preview !== undefined) sections.push([sectionKinds.preview, previewBytes(model.preview)])
  return assemble(sections)
}

function assemble(sections: readonly (readonly [kind: number, bytes: Uint8Array])[]): Uint8Array {
  const headerBytes = fixedHeaderBytes + sectionEntryBytes * sections.length + 4
  const fileBytes = sections.reduce((sum, [, bytes]) => sum + bytes.length, headerBytes)
  if (fileBytes > fileLimits.fileBytes) {
    throw new SternaError(
      'file/limit',
      `the file would take ${fileBytes} bytes; at most ${fileLimits.fileBytes} are allowed`,
    )
  }
  const out = new ByteWriter()
  out.bytes(Uint8Array.from(magic))
  out.u16(formatVersion)
  out.u16(sections.length)
  out.u32(fileBytes)
  for (const [kind, bytes] of sections) {
    out.u32(kind)
    out.u32(bytes.length)
    out.u32(crc32(bytes))
  }
  out.u32(crc32(out.finish()))
  for (const [, bytes] of sections) out.bytes(bytes)
  return out.finish()
}

function previewBytes(preview: Preview): Uint8Array {
  const problem = previewProblem(preview)
  if (problem !== undefined) throw new SternaError('usage/input', `preview: ${problem}`)
  const out = new ByteWriter()
  out.name(preview.mediaType)
  out.bytes(preview.bytes)
  return out.finish()
}

/** Nothing for metadata without a field. */
function metadataBytes(model: PackedModel): Uint8Array | undefined {
  const text = JSON.stringify(model.metadata)
  if (text === '{}') return undefined
  const problem = metadataProblem(JSON.parse(text))
  if (problem !== undefined) throw new SternaError('usage/input', `metadata: ${problem}`)
  const bytes = new TextEncoder().encode(text)
  if (bytes.length > fileLimits.metadataBytes) {
    throw new SternaError(
      'file/limit',
      `metadata: expected at most ${fileLimits.metadataBytes} bytes, found ${bytes.length}`,
    )
  }
  return bytes
}
