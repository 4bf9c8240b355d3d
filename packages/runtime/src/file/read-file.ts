/** Reads a `.sterna` file (`docs/format.md`), whole or as its bytes arrive. */
import { ByteReader } from '../byte-reader.ts'
import type { CodecName, DecodeOptions } from '../codec/codec.ts'
import { SternaError } from '../errors.ts'
import { checkSection, damaged, fixedHeaderBytes, readContainer, truncated } from './container.ts'
import { joinParts } from './join-parts.ts'
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

export interface ReadOptions {
  /**
   * Decode ternary tensors into `lists` of what is added and subtracted, without a dense copy; their `assignment` is
   * then made where somebody asks for it. Tensors in parts come dense.
   */
  readonly lists?: boolean
}

/** A tensor, or some filters of a large one: what a payload needs beside its bytes to be decoded. */
export interface CodedPart {
  /** As in the tensor table. */
  readonly codec: number
  readonly shape: readonly number[]
}

/** Decodes a part elsewhere, with `decodePart` in a worker; `payload` is a copy that may be transferred. */
export type PartDecoder = (part: CodedPart, payload: Uint8Array<ArrayBuffer>) => Promise<PackedTensor>

/** How a file is read; without `plain`, hosts that refuse WebAssembly are refused. */
export interface FileOptions extends ReadOptions, Pick<DecodeOptions, 'plain'> {
  readonly decode?: PartDecoder | undefined
}

/** As `readSterna`. */
export function readBytes(bytes: Uint8Array, options: FileOptions): ReadSterna {
  const steps = readSteps({ bytes, ended: true }, options)
  const step = steps.next()
  if (step.done) return step.value.finish(step.value.pieces as PackedTensor[][])
  throw truncated(Math.max(step.value, fixedHeaderBytes), bytes.length)
}

/** As `readSternaStream`. */
export async function readStream(stream: ByteStream, options: FileOptions): Promise<ReadSterna> {
  const arriving = { bytes: new Uint8Array(0), ended: false }
  const steps = readSteps(arriving, options)
  let step = steps.next()
  let buffer = new Uint8Array(0x4000)
  let length = 0
  for await (const chunk of piecesOf(stream)) {
    if (!(chunk instanceof Uint8Array)) {
      throw new SternaError('usage/input', `expected a stream of Uint8Array, found ${typeof chunk}`)
    }
    if (step.done && chunk.length > 0) throw tooLong(length)
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
  if (step.done) {
    const { pieces, finish } = step.value
    return finish(await Promise.all(pieces.map(parts => Promise.all(parts))))
  }
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

/** A file that is checked; only its tensors may still be being decoded. */
interface Pending {
  /** The parts of each tensor. */
  readonly pieces: readonly (readonly (PackedTensor | Promise<PackedTensor>)[])[]
  finish(pieces: readonly (readonly PackedTensor[])[]): ReadSterna
}

/** Goes on where it stopped: yields how many of the file's bytes it cannot do without. */
function* readSteps(
  file: { readonly bytes: Uint8Array; readonly ended: boolean },
  { lists, decode, plain }: FileOptions,
): Generator<number, Pending> {
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

  const isChecked = file.bytes.length >= payload.end
  if (isChecked) checkSection(file.bytes, 'payload', payload)
  const pieces: (PackedTensor | Promise<PackedTensor>)[][] = []
  const payloads: (FilePart & { readonly codec: CodecName })[] = []
  for (const [index, { parts }] of entries.entries()) {
    const tensor = tensorNames[index]!
    const own: (PackedTensor | Promise<PackedTensor>)[] = []
    for (const { codec, shape, start, end } of parts) {
      yield* needs(end)
      if (decode !== undefined) {
        const piece = decode({ codec: codec.id, shape: shape.dims }, file.bytes.slice(start, end))
        // Looked at in the end; should the stream fail before, nobody waits for it.
        piece.catch(() => {})
        own.push(piece)
        continue
      }
      try {
        const reader = new ByteReader(file.bytes, start, end, `tensor "${tensor}"`)
        own.push(codec.decode(reader, shape, { listed: lists === true && parts.length === 1, plain }))
        reader.expectEnd()
      } catch (error) {
        // That the bytes were changed on their way says more than what they no longer make.
        yield* needs(payload.end)
        checkSection(file.bytes, 'payload', payload)
        throw error
      }
    }
    pieces.push(own)
    payloads.push({
      name: 'payload',
      bytes: parts.at(-1)!.end - parts[0]!.start,
      tensor,
      codec: parts[0]!.codec.name,
      ...(parts.length > 1 && { parts: parts.length }),
    })
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
  const activations = readActivations(file.bytes, container.activations, valueNames, new Set(tensorNames))
  const preview = readPreview(file.bytes, container.preview)
  const metadata = readMetadata(file.bytes, container.metadata)
  const finish = (decoded: readonly (readonly PackedTensor[])[]): ReadSterna => {
    const tensors = new Map<string, PackedTensor>()
    for (const [index, { shape, parts }] of entries.entries()) {
      const name = tensorNames[index]!
      const own = decoded[index]!
      const whole = own.length === 1 ? own[0] : joinParts(shape.dims, own)
      if (whole === undefined) {
        const reader = new ByteReader(file.bytes, parts[0]!.start, fileBytes, `tensor "${name}"`)
        throw reader.failure('file/damaged', 'its parts are not stored alike')
      }
      tensors.set(name, whole)
    }
    const model: PackedModel = {
      ...network,
      tensors,
      metadata,
      ...(activations && { activations }),
      ...(preview && { preview }),
    }
    return { model, account: { totalBytes: fileBytes, sections } }
  }
  return { pieces, finish }
}
