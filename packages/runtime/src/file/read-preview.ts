/** The preview section: a media type and that many bytes as follow. Nothing computes with it. */
import { ByteReader } from '../byte-reader.ts'
import { fileLimits } from '../limits.ts'
import type { Section } from './container.ts'
import type { Preview } from './types.ts'

const mediaTypeForm = /^[a-z0-9][a-z0-9!$&^_.+-]*\/[a-z0-9][a-z0-9!$&^_.+-]*$/

export function readPreview(file: Uint8Array, section: Section | undefined): Preview | undefined {
  if (section === undefined) return undefined
  const reader = new ByteReader(file, section.start, section.end, 'preview section')
  const type = reader.name('media type')
  const preview = { mediaType: type, bytes: reader.take(reader.remaining).slice() }
  const problem = previewProblem(preview)
  if (problem !== undefined) throw reader.failure('file/damaged', problem, section.start)
  return preview
}

/** What is wrong with a preview, or undefined. */
export function previewProblem({ mediaType: type, bytes }: Preview): string | undefined {
  if (!mediaTypeForm.test(type)) return `expected a media type in lower case, as image/png, found "${type}"`
  if (bytes.length === 0 || bytes.length > fileLimits.previewBytes)
    return `expected 1 to ${fileLimits.previewBytes} bytes, found ${bytes.length}`
  return undefined
}
