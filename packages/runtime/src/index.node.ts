/** The same as `index.ts`, with Node's way to start the workers of `LoadOptions.threads`. */
import { host } from './session/threads/host.ts'
import { startNodeThread } from './session/threads/start-thread.node.ts'

host.startThread ??= startNodeThread

export * from './index.ts'
