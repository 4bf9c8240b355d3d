/** Reads a `.sterna` file (`docs/format.md`), whole or as its bytes arrive. */
import { ByteReader } from '../byte-reader.ts'
import type { CodecName } from '../codec/index.ts'
import { SternaError } from '../errors.ts'
import { checkSection, damaged, fixedHeaderBytes, readContainer, truncated } from './container.ts'
import { readActivations } from './read-activations.ts'
import { readGraph } from './read-graph.ts'
import { readMetadata } from './read-metadata.ts'
import { readPreview } from './read-preview.ts'
import { readTensorTable } from './read-tensor-table.ts'
import type { FileAccount, FilePart, PackedModel, PackedTensor } from './types.ts'

export interface ReadSterna {
  readonly model: PackedModel
  readonly account: FileAccount
}

/** Pieces of a file in order, as `fetch(…).body` or a file's read stream gives them. */
export type ByteStream = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>

/**
 * Checks and decodes `bytes`, which must be exactly one file. Whatever the bytes, it returns or throws
 * SternaError: 'file/bad-magic', 'file/truncated', 'file/damaged', 'file/unsupported' or 'file/limit'.
 * What it allocates is bounded by a small multiple of the bytes given and, for range-coded weights, by 1024 of
 * them a byte and `fileLimits.codedElements`; nothing it returns shares memory with the bytes.
 */
export function readSterna(bytes: Uint8Array): ReadSterna {
  const steps = readSteps({ bytes, ended: true })
  const step = steps.next()
  if (step.done) return step.value
  throw truncated(Math.max(step.value, fixedHeaderBytes), bytes.length)
}

/**
 * The same from a stream: tensors are decoded while the rest is still on its way, and the model is handed out once
 * every checksum has been compared. The first damage found ends the stream. Errors as `readSterna`, and whatever the
 * stream itself fails with.
 */
export async function readSternaStream(stream: ByteStream): Promise<ReadSterna> {
  const arriving = { bytes: new Uint8Array(0), ended: false }
  const steps = readSteps(arriving)
  let step = steps.next()
  let buffer = new Uint8Array(0x4000)
  let length = 0
  for await (const chunk of piecesOf(stream)) {
    if (!(chunk instanceof Uint8Array)) {
      throw new SternaError('usage/input', `expected a stream of Uint8Array, found ${typeof chunk}`)
    }
    if (step.done && chunk.length > 0) throw tooLong(step.value.account.totalBytes)
    if (length + chunk.length > buffer.length) {
      const larger = new Uint8Array(Math.max(2 * buffer.length, length + chunk.length))
      larger.set(buffer.subarray(0, length))
      buffer = larger
    }
    buffer.set(chunk, length)
    length += chunk.length
    arriving.bytes = buffer.subarray(0, length)
    if (!step.done && step.value <= length) step = steps.next()
  }
  arriving.ended = true
  if (!step.done) step = steps.next()
  if (step.done) return step.value
  throw truncated(Math.max(step.value, fixedHeaderBytes), length)
}

function tooLong(fileBytes: number): SternaError {
  return damaged(12, `expected the file to end at ${fileBytes} bytes, found more`)
}

/** Not every browser can iterate over its streams. */
async function* piecesOf(stream: ByteStream): AsyncGenerator<Uint8Array> {
  if (!('getReader' in stream)) {
    yield* stream
    return
  }
  const reader = stream.getReader()
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value
  } finally {
    await reader.cancel()
  }
}

/** Goes on where it stopped: yields how many of the file's bytes it cannot do without. */
function* readSteps(file: {
  readonly bytes: Uint8Array
  readonly ended: boolean
}): Generator<number, ReadSterna> {
  const needs = function* (end: number): Generator<number, void> {
    while (file.bytes.length < end) yield end
  }
  const container = yield* readContainer(file, needs)
  const { headerBytes, fileBytes, tensors, graph, payload } = container
  // What is known to be cut short is not decoded first.
  if (file.ended) yield* needs(fileBytes)
  yield* needs(tensors.end)
  checkSection(file.bytes, 'tensors', tensors)
  const entries = readTensorTable(file.bytes, tensors, payload)
  yield* needs(graph.end)
  checkSection(file.bytes, 'graph', graph)
  const { valueNames, tensorNames, ...network } = readGraph(file.bytes, graph, entries.length)

  const decoded = new Map<string, PackedTensor>()
  const payloads: (FilePart & { readonly codec: CodecName })[] = []
  const isChecked = file.bytes.length >= payload.end
  if (isChecked) checkSection(file.bytes, 'payload', payload)
  for (const [index, { codec, shape, start, end }] of entries.entries()) {
    yield* needs(end)
    const tensor = tensorNames[index]!
    const reader = new ByteReader(file.bytes, start, end, `tensor "${tensor}"`)
    try {
      decoded.set(tensor, codec.decode(reader, shape))
      reader.expectEnd()
    } catch (error) {
      // That the bytes were changed on their way says more than what they no longer make.
      yield* needs(payload.end)
      checkSection(file.bytes, 'payload', payload)
      throw error
    }
    payloads.push({ name: 'payload', bytes: end - start, tensor, codec: codec.name })
  }
  yield* needs(fileBytes)
  if (file.bytes.length > fileBytes) throw tooLong(fileBytes)
  if (!isChecked) checkSection(file.bytes, 'payload', payload)

  const sections: FilePart[] = [
    { name: 'header', bytes: headerBytes },
    { name: 'tensors', bytes: tensors.end - tensors.start },
    { name: 'graph', bytes: graph.end - graph.start },
    ...payloads,
  ]
  for (const name of ['metadata', 'activations', 'preview'] as const) {
    const section = container[name]
    if (section === undefined) continue
    checkSection(file.bytes, name, section)
    sections.push({ name, bytes: section.end - section.start })
  }
  const activations = readActivations(file.bytes, container.activations, valueNames, decoded)
  const preview = readPreview(file.bytes, container.preview)
  const model: PackedModel = {
    ...network,
    tensors: decoded,
    metadata: readMetadata(file.bytes, container.metadata),
    ...(activations && { activations }),
    ...(preview && { preview }),
  }
  return { model, account: { totalBytes: fileBytes, sections } }
}
