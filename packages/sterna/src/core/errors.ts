import { SternaError } from 'sterna-runtime'

export { SternaError, type SternaErrorCode, type SternaErrorOptions } from 'sterna-runtime'

/** Runs a reader, which only knows bytes; its error names the file. */
export function naming<Result>(file: string, read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof SternaError) || error.message.includes(`${file}:`)) throw error
    const { code, message, hint, detail } = error
    throw new SternaError(code, `${file}: ${message}`, {
      ...(hint !== undefined && { hint }),
      detail: { ...detail, file },
      cause: error,
    })
  }
}
