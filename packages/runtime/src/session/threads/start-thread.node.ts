import { Worker } from 'node:worker_threads'
import type { Thread } from './messages.ts'

/** Flags of the host's process, such as --test, are not for the worker. */
export function startNodeThread(): Thread {
  const worker = new Worker(new URL('./worker.node.js', import.meta.url), { execArgv: [] })
  worker.unref()
  return {
    post: (message, transfer) => worker.postMessage(message, [...transfer]),
    listen(answer) {
      worker.on('message', answer)
      worker.on('error', error => answer({ error }))
      worker.on('exit', code => answer({ error: new Error(`the worker ended with code ${code}`) }))
    },
    hold: waiting => (waiting ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  }
}
