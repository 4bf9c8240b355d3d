/** Judges files in a thread of its own, which may be ended at any moment. */
import { parentPort } from 'node:worker_threads'
import { judge } from './judge.mjs'

parentPort.on('message', async bytes => {
  const heldBytes = process.memoryUsage().arrayBuffers
  const verdict = await judge(bytes)
  const tookBytes = process.memoryUsage().arrayBuffers - heldBytes
  parentPort.postMessage({ ...verdict, tookBytes })
})
