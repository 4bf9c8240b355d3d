import type { Answer, Thread } from './messages.ts'

/** How this host starts a worker; undefined where it has none. Node's way is set by `index.node.ts`. */
export const host: { startThread: (() => Thread) | undefined } = {
  startThread: typeof Worker === 'function' ? startThread : undefined,
}

function startThread(): Thread {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
  return {
    post: (message, transfer) => worker.postMessage(message, [...transfer]),
    listen(answer) {
      worker.onmessage = ({ data }: MessageEvent<Answer>) => answer(data)
      worker.onerror = ({ message }) => answer({ error: new Error(message || 'the worker did not start') })
    },
    hold() {},
    end: () => worker.terminate(),
  }
}
