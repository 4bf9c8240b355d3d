/** The metadata section: one JSON object. Optional; nothing in it changes what the network computes. */
import { ByteReader } from '../byte-reader.ts'
import { fileLimits } from '../limits.ts'
import type { Section } from './container.ts'
import type { PackedMetadata } from './types.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function readMetadata(bytes: Uint8Array, section: Section | undefined): PackedMetadata {
  if (section === undefined) return {}
  const reader = new ByteReader(bytes, section.start, section.end, 'metadata section')
  if (reader.remaining > fileLimits.metadataBytes) {
    throw reader.failure(
      'file/limit',
      `expected at most ${fileLimits.metadataBytes} bytes, found ${reader.remaining}`,
    )
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(utf8.decode(reader.take(reader.remaining)))
  } catch (cause) {
    throw reader.failure('file/damaged', 'expected JSON in UTF-8', section.start, cause)
  }
  const problem = metadataProblem(parsed)
  if (problem !== undefined) throw reader.failure('file/damaged', problem, section.start)
  return parsed as PackedMetadata
}

/** What is wrong with `value` as metadata, or undefined. */
export function metadataProblem(value: unknown): string | undefined {
  if (!isObject(value)) return 'expected a JSON object'
  const { normalization, classes, licence, preprocessing, training } = value
  if (normalization !== undefined) {
    if (!isObject(normalization)) return 'normalization: expected an object with mean and std'
    const { mean, std } = normalization
    if (!isNumbers(mean) || !isNumbers(std) || mean.length !== std.length || mean.length === 0) {
      return 'normalization: expected mean and std to be lists of numbers of one length'
    }
    if (std.some(deviation => deviation <= 0)) return 'normalization: expected std above 0'
  }
  if (classes !== undefined && !(Array.isArray(classes) && classes.every(name => typeof name === 'string'))) {
    return 'classes: expected a list of strings'
  }
  if (licence !== undefined && typeof licence !== 'string') return 'licence: expected a string'
  if (preprocessing !== undefined && typeof preprocessing !== 'string')
    return 'preprocessing: expected a string'
  if (training !== undefined && !isObject(training)) return 'training: expected an object'
  return undefined
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(Number.isFinite)
}
