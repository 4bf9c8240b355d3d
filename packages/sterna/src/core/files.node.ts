/** Whole files on disk, read and written safely. Synchronous, so that a signal handler can use them too. */
import { createHash, randomUUID } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { SternaError } from './errors.ts'

/**
 * Writes a file so that a reader sees either the old content or the new one, never a part: temporary file
 * beside the target, fsync, rename. An existing file's mode is kept and a symbolic link is followed.
 * @throws SternaError 'file/write-failed'; the temporary file is gone and the old file untouched.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  let temporary: string | undefined
  let descriptor: number | undefined
  try {
    const existing = statSync(path, { throwIfNoEntry: false })
    if (existing && !existing.isFile())
      throw Object.assign(new Error('not a regular file'), { code: 'EISDIR' })
    const target = existing ? realpathSync(path) : path
    const candidate = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.tmp`)
    descriptor = openSync(candidate, 'wx')
    temporary = candidate
    if (existing) fchmodSync(descriptor, existing.mode & 0o7777)
    let written = 0
    while (written < bytes.length) written += writeSync(descriptor, bytes, written)
    fsyncSync(descriptor)
    closeSync(descriptor)
    descriptor = undefined
    renameSync(candidate, target)
    temporary = undefined
    syncFolder(dirname(target))
  } catch (cause) {
    if (descriptor !== undefined) closeQuietly(descriptor)
    if (temporary !== undefined) rmSync(temporary, { force: true })
    throw writeError(path, bytes.length, cause)
  }
}

/**
 * The bytes of a regular file.
 * @param options.maxBytes refuse a longer file before reading it
 * @throws SternaError 'file/not-found' (missing, a folder, no permission) or 'file/limit'
 */
export function readFileBytes(path: string, options: { readonly maxBytes?: number } = {}): Uint8Array {
  try {
    const status = statSync(path)
    if (!status.isFile()) {
      throw new SternaError('file/not-found', `${path}: expected a file, found ${kindOf(status)}`)
    }
    const maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY
    if (status.size > maxBytes) {
      throw new SternaError(
        'file/limit',
        `${path}: expected at most ${maxBytes} bytes, found ${status.size}`,
        {
          detail: { path, maxBytes, sizeBytes: status.size },
        },
      )
    }
    const buffer = readFileSync(path)
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
  } catch (cause) {
    if (cause instanceof SternaError) throw cause
    const code = systemCode(cause)
    const reason = code === 'ENOENT' ? 'no such file' : code === 'EACCES' ? 'no permission to read it' : code
    throw new SternaError('file/not-found', `cannot read ${path}: ${reason}`, {
      detail: { path, system: code },
      cause,
    })
  }
}

/** SHA-256 of the bytes, 64 lower-case hexadecimal digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function writeError(path: string, sizeBytes: number, cause: unknown): SternaError {
  const code = systemCode(cause)
  const [reason, hint] = WRITE_FAILURES[code] ?? ['the system refused it', undefined]
  return new SternaError(
    'file/write-failed',
    `cannot write ${path} (${sizeBytes} bytes): ${reason} (${code})`,
    {
      ...(hint === undefined ? {} : { hint }),
      detail: { path, sizeBytes, system: code },
      cause,
    },
  )
}

const FULL_HINT = 'free some space or choose another place; what was there before is unchanged'
const PERMISSION_HINT = 'choose a place you may write to, or change its permissions'

const WRITE_FAILURES: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  ENOSPC: ['no space left on the device', FULL_HINT],
  EDQUOT: ['the disk quota is used up', FULL_HINT],
  EFBIG: ['the file would be larger than allowed here', FULL_HINT],
  EACCES: ['no permission', PERMISSION_HINT],
  EPERM: ['not permitted', PERMISSION_HINT],
  EROFS: ['the file system is read-only', PERMISSION_HINT],
  ENOENT: ['the folder does not exist', 'create the folder first'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'choose another path'],
  EISDIR: ['the target is not a regular file', 'choose another file name'],
}

function systemCode(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : String(cause)
}

function kindOf(status: { isDirectory(): boolean }): string {
  return status.isDirectory() ? 'a folder' : 'something that is not a regular file'
}

/** Makes the rename itself survive a power cut, where the system lets folders be synchronised. */
function syncFolder(folder: string): void {
  let descriptor: number | undefined
  try {
    descriptor = openSync(folder, 'r')
    fsyncSync(descriptor)
  } catch {
    // Windows and some network file systems cannot; the content itself is already on disk.
  } finally {
    if (descriptor !== undefined) closeQuietly(descriptor)
  }
}

function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor)
  } catch {
    // The first failure is the one worth reporting.
  }
}
