/** Tells sessions what Node has of its own: how workers start, and how memory of results is kept. */
import { keepFreedMemory } from './keep-freed-memory.node.ts'
import { largeResults } from './large-results.ts'
import { host } from './threads/host.ts'
import { startNodeThread } from './threads/start-thread.node.ts'

host.startThread ??= startNodeThread
largeResults.prepareHost = keepFreedMemory
