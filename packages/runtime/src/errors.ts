/**
 * The one error type of Sterna. `code` says what kind of failure, `where` names the file offset, node or
 * option, `hint` what to do about it.
 */
export type SternaErrorCode =
  // === bytes and files ===
  | 'file/truncated' // fewer bytes than the header promises
  | 'file/bad-magic' // not this kind of file at all
  | 'file/unsupported' // a version, codec, type or feature this build does not know
  | 'file/damaged' // checksum or structure does not hold
  | 'file/limit' // a declared size is beyond the documented bound
  | 'file/not-found'
  | 'file/write-failed' // disk full, no permission
  // === graphs and tensors ===
  | 'graph/shape' // shapes that do not fit
  | 'graph/unknown-operator'
  | 'graph/unknown-value' // a name nothing defines
  | 'graph/attribute' // an attribute outside its range
  | 'tensor/invalid' // data, shape and dtype disagree
  // === models and weights ===
  | 'model/unknown'
  | 'model/mapping' // weights that do not fit the network
  // === data ===
  | 'data/not-found'
  | 'data/checksum'
  | 'data/invalid'
  | 'data/offline'
  | 'data/interrupted' // a download was stopped; it can be continued
  // === training ===
  | 'train/non-finite'
  | 'train/diverged'
  | 'train/checkpoint'
  | 'train/interrupted' // stopped by the user; its checkpoint continues
  | 'train/config'
  | 'quantizer/option'
  // === engine ===
  | 'engine/unavailable'
  | 'engine/failed'
  // === use ===
  | 'usage/option'
  | 'usage/input'
  | 'internal'

export interface SternaErrorOptions {
  /** What to do about it, shown on a line of its own. */
  readonly hint?: string
  /** Facts for programs: offsets, names, expected and found values. */
  readonly detail?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** A failure with a code, a sentence that says where, expected and found, and often a hint. */
export class SternaError extends Error {
  override readonly name = 'SternaError'
  readonly code: SternaErrorCode
  readonly hint: string | undefined
  readonly detail: Readonly<Record<string, unknown>>

  constructor(code: SternaErrorCode, message: string, options: SternaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.detail = options.detail ?? {}
  }
}
