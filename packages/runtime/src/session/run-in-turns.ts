/** How long a batch is computed before the event loop gets a turn. */
const turnMs = 10

/**
 * Runs the images that `take` names, until it names one that there is not. Whatever else the thread has to do waits for
 * one image or for some milliseconds, not for the batch.
 */
export async function runInTurns(
  images: number,
  take: () => number,
  run: (image: number) => void,
): Promise<void> {
  let endMs = performance.now() + turnMs
  for (let image = take(); image < images; image = take()) {
    run(image)
    if (performance.now() < endMs) continue
    await nextTurn()
    endMs = performance.now() + turnMs
  }
}

const nextTurn = (): Promise<void> =>
  new Promise(resolve => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
