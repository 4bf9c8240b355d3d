/** Ctrl-C and SIGTERM as a signal for work that can stop in an orderly way. */

/** Exit code of a process ended by Ctrl-C, as shells report it. */
const INTERRUPTED = 130

/** Runs `work`; the first Ctrl-C or SIGTERM fires its signal, a second one ends the process at once. */
export async function interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED)
    controller.abort()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}
