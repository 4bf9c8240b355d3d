import type { Answer, Thread } from './messages.ts'

export interface Host {
  /** How this host starts a worker; undefined where it has none. Node's way is set by `index.node.ts`. */
  startThread: (() => Thread) | undefined
  /** Whether the thread that has the session may compute too. A page must answer its user meanwhile. */
  callerComputes: boolean
}

export const host: Host = {
  startThread: typeof Worker === 'function' ? startThread : undefined,
  callerComputes: typeof document === 'undefined',
}

function startThread(): Thread {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
  return {
    post: (message, transfer) => worker.postMessage(message, [...transfer]),
    listen(answer) {
      worker.onmessage = ({ data }: MessageEvent<Answer>) => answer(data)
      worker.onerror = ({ message }) =>
        answer({ error: new Error(message || 'its script was refused or not found') })
    },
    hold() {},
    end: () => worker.terminate(),
  }
}
