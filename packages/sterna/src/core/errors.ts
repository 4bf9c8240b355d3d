import { SternaError } from 'sterna-runtime'

export { SternaError, type SternaErrorCode, type SternaErrorOptions } from 'sterna-runtime'

/** Runs a reader, which only knows bytes; its error names the file. */
export function naming<Result>(file: string, read: () => Result): Result {
  try {
    return read()
  } catch (error) {
    throw named(file, error)
  }
}

/** The same for a reader that takes its time. */
export async function namingLater<Result>(file: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read()
  } catch (error) {
    throw named(file, error)
  }
}

function named(file: string, error: unknown): unknown {
  if (!(error instanceof SternaError) || error.message.includes(`${file}:`)) return error
  const { code, message, hint, detail } = error
  return new SternaError(code, `${file}: ${message}`, {
    ...(hint !== undefined && { hint }),
    detail: { ...detail, file },
    cause: error,
  })
}
