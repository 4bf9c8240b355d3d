/** Downloads one file with a checksum, several mirrors, and continuation of what an earlier try left. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { SternaError } from '../core/index.ts'

export interface RemoteFile {
  readonly name: string
  /** Folders that hold the file, each ending in `/`, in the order to try. */
  readonly mirrors: readonly string[]
  readonly checksum: { readonly algorithm: 'md5' | 'sha256'; readonly hex: string }
  /** What is longer than this cannot be the file. */
  readonly maxBytes: number
}

export interface DownloadProgress {
  readonly file: string
  /** Bytes on disk so far, those of an earlier try included. */
  readonly receivedBytes: number
  /** The whole length, where the server tells it. */
  readonly totalBytes: number | undefined
}

export interface DownloadOptions {
  readonly onProgress?: (progress: DownloadProgress) => void
  /** Stops the download; what has arrived stays and is continued next time. */
  readonly signal?: AbortSignal
  /** How often to go through the mirrors. Default 3. */
  readonly rounds?: number
  /** Wait before the second round, doubled for every further one. Default 1000. */
  readonly retryDelayMs?: number
  /** A connection that sends nothing for so long counts as cut. Default 30,000. */
  readonly stallMs?: number
}

/** A reason to try elsewhere; `final` when this mirror will not do better next time. */
class MirrorFailure extends Error {
  readonly final: boolean
  readonly wrongContent: boolean

  constructor(message: string, kind: 'transient' | 'refused' | 'wrong-content') {
    super(message)
    this.final = kind !== 'transient'
    this.wrongContent = kind === 'wrong-content'
  }
}

/**
 * Puts the file into a folder unless it is there already with the right checksum. Bytes arrive in
 * `NAME.part`, which a later call continues with a range request, and get their name once the checksum holds.
 * @throws SternaError 'data/offline', 'data/checksum', 'data/interrupted' or 'file/write-failed'
 */
export async function downloadFile(
  file: RemoteFile,
  folder: string,
  options: DownloadOptions = {},
): Promise<'present' | 'downloaded'> {
  const target = path.join(folder, file.name)
  if (await hasChecksum(target, file)) return 'present'
  await writing(folder, () => mkdir(folder, { recursive: true }))
  const failures = new Map<string, MirrorFailure>()
  const { rounds = 3, retryDelayMs = 1000 } = options
  for (let round = 0; round < rounds; round++) {
    const usable = file.mirrors.filter(mirror => !failures.get(mirror)?.final)
    if (round > 0 && usable.length > 0) await pause(retryDelayMs * 2 ** (round - 1), options.signal)
    for (const mirror of usable) {
      try {
        await fetchFrom(mirror, file, target, options)
        return 'downloaded'
      } catch (error) {
        if (options.signal?.aborted) throw interrupted(file.name, error)
        if (!(error instanceof MirrorFailure)) throw error
        failures.set(mirror, error)
      }
    }
  }
  throw gaveUp(file, folder, failures)
}

/** One try at one mirror. */
async function fetchFrom(
  mirror: string,
  file: RemoteFile,
  target: string,
  options: DownloadOptions,
): Promise<void> {
  const part = `${target}.part`
  const startBytes = (await stat(part).catch(() => undefined))?.size ?? 0
  // A try that was stopped between the last byte and the renaming.
  if (startBytes > 0 && (await hasChecksum(part, file))) return writing(target, () => rename(part, target))
  const watch = new StallWatch(options.stallMs ?? 30_000, options.signal)
  try {
    const response = await request(mirror + file.name, startBytes, watch.signal)
    await receive(response, startBytes, file, part, watch, options)
  } catch (error) {
    if (error instanceof MirrorFailure || error instanceof SternaError) throw error
    throw new MirrorFailure(watch.stalled ? 'the connection stalled' : reasonOf(error), 'transient')
  } finally {
    watch.stop()
  }
  if (await hasChecksum(part, file)) return writing(target, () => rename(part, target))
  await rm(part, { force: true })
  // What was continued may have been damaged before; only a fresh download speaks against the mirror.
  throw new MirrorFailure('wrong checksum', startBytes > 0 ? 'transient' : 'wrong-content')
}

async function request(url: string, startBytes: number, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, {
    signal,
    headers: { 'accept-encoding': 'identity', ...(startBytes > 0 ? { range: `bytes=${startBytes}-` } : {}) },
  })
  // 416: the partial file is longer than the file; the caller's next try starts anew.
  if (response.ok || response.status === 416) return response
  await response.body?.cancel()
  const transient = response.status >= 500 || response.status === 429 || response.status === 408
  throw new MirrorFailure(`HTTP ${response.status}`, transient ? 'transient' : 'refused')
}

/** Appends a response's bytes to the partial file, or begins it anew where the server sends everything. */
async function receive(
  response: Response,
  startBytes: number,
  file: RemoteFile,
  part: string,
  watch: StallWatch,
  { onProgress }: DownloadOptions,
): Promise<void> {
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '')
  const continues = response.status === 206 && Number(range?.[1]) === startBytes
  if ((response.status === 206 && !continues) || response.status === 416) {
    await response.body?.cancel()
    await rm(part, { force: true })
    throw new MirrorFailure('could not continue the partial file', 'transient')
  }
  const length = response.headers.get('content-length')
  const totalBytes = continues ? Number(range?.[2]) : length === null ? undefined : Number(length)
  let receivedBytes = continues ? startBytes : 0
  const handle = await writing(part, () => open(part, continues ? 'a' : 'w'))
  try {
    onProgress?.({ file: file.name, receivedBytes, totalBytes })
    for await (const chunk of response.body ?? []) {
      watch.touch()
      receivedBytes += chunk.length
      if (receivedBytes > file.maxBytes) {
        await rm(part, { force: true })
        throw new MirrorFailure(`more than ${file.maxBytes} bytes`, 'wrong-content')
      }
      await writing(part, () => writeAll(handle, chunk))
      onProgress?.({ file: file.name, receivedBytes, totalBytes })
    }
    if (totalBytes !== undefined && receivedBytes < totalBytes) {
      throw new MirrorFailure(`cut off after ${receivedBytes} of ${totalBytes} bytes`, 'transient')
    }
    await writing(part, () => handle.sync())
  } finally {
    await handle.close()
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await handle.write(bytes, written)).bytesWritten
  }
}

/** Whether a file exists and has the checksum. */
async function hasChecksum(file: string, { checksum, maxBytes }: RemoteFile): Promise<boolean> {
  const status = await stat(file).catch(() => undefined)
  if (!status?.isFile() || status.size > maxBytes) return false
  const hash = createHash(checksum.algorithm)
  for await (const chunk of createReadStream(file)) hash.update(chunk)
  return hash.digest('hex') === checksum.hex
}

/** Gives up on a connection that has gone quiet, or when the caller's signal fires. */
class StallWatch {
  readonly #controller = new AbortController()
  readonly #outer: AbortSignal | undefined
  readonly #timer: ReturnType<typeof setTimeout>
  readonly #forward = () => this.#controller.abort()
  stalled = false

  constructor(stallMs: number, outer: AbortSignal | undefined) {
    this.#outer = outer
    this.#timer = setTimeout(() => {
      this.stalled = true
      this.#controller.abort()
    }, stallMs)
    if (outer?.aborted) this.#controller.abort()
    outer?.addEventListener('abort', this.#forward)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  touch(): void {
    this.#timer.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.#forward)
  }
}

function pause(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, durationMs)
    signal?.addEventListener('abort', done)
    if (signal?.aborted) done()
  })
}

/** Runs something that touches the disk; its failure is final and says so. */
async function writing<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    throw new SternaError('file/write-failed', `cannot write ${file}: ${reasonOf(cause)}`, {
      hint: 'free some space, or choose a folder you may write to',
      detail: { file },
      cause,
    })
  }
}

function interrupted(file: string, cause: unknown): SternaError {
  return new SternaError('data/interrupted', `${file}: the download was stopped`, {
    hint: 'run the same command again to continue where it stopped',
    cause,
  })
}

function gaveUp(file: RemoteFile, folder: string, failures: ReadonlyMap<string, MirrorFailure>): SternaError {
  const reasons = [...failures].map(([mirror, failure]) => `${mirror}${file.name}: ${failure.message}`)
  const wrong = [...failures.values()].some(failure => failure.wrongContent)
  return new SternaError(
    wrong ? 'data/checksum' : 'data/offline',
    wrong
      ? `${file.name}: no mirror has the file with ${file.checksum.algorithm} ${file.checksum.hex} (${reasons.join('; ')})`
      : `${file.name}: no mirror could be reached (${reasons.join('; ')})`,
    {
      hint: `download it by hand, e.g. from ${file.mirrors[0]}${file.name}, put it into ${folder} and run the command again`,
      detail: { file: file.name, folder, reasons },
    },
  )
}

/** The innermost reason: fetch wraps what the network said. */
function reasonOf(error: unknown): string {
  let reason = error
  for (let depth = 0; depth < 4 && reason instanceof Error && reason.cause !== undefined; depth++)
    reason = reason.cause
  if (!(reason instanceof Error)) return String(reason)
  const code = 'code' in reason && typeof reason.code === 'string' ? reason.code : ''
  return reason.message || code || reason.name
}
