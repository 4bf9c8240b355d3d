/** The same as `index.ts`, with what Node has of its own: how workers start, and memory of results. */
import './session/node-host.node.ts'

export * from './index.ts'
