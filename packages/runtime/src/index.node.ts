/** The same as `index.ts`, with Node's way to start the workers of `LoadOptions.threads` and to hold memory of results. */
import { keepFreedMemory } from './session/keep-freed-memory.node.ts'
import { largeResults } from './session/large-results.ts'
import { host } from './session/threads/host.ts'
import { startNodeThread } from './session/threads/start-thread.node.ts'

host.startThread ??= startNodeThread
largeResults.prepareHost = keepFreedMemory

export * from './index.ts'
