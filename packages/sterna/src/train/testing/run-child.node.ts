/**
 * A process for tests to kill: `node run-child.node.js DIRECTORY STALL_AT [CONFIG]` starts a run (or, without
 * CONFIG, continues it), prints `stalled` and hangs when it has sent STALL_AT steps to the engine. A failure is
 * printed as JSON.
 */
import { SternaError } from '../../core/index.ts'
import { createEngine } from '../../engine/index.node.ts'
import { zooEntry } from '../../models/index.ts'
import type { TrainConfig } from '../config.ts'
import { resumeRun, trainRun } from '../run-directory.node.ts'
import { countingEngine, tinyData } from './tiny.ts'

const [directory, stallAt, configText] = process.argv.slice(2)
// A limit on file sizes, which stands in for a full disk, then fails the write instead of ending the process.
process.on('SIGXFSZ', () => undefined)
const inner = await createEngine({ device: 'cpu', threads: 1 })
const engine = countingEngine(inner, steps => {
  if (steps !== Number(stallAt)) return
  process.stdout.write('stalled\n')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
const options = { directory: directory!, dataset: tinyData, engine }
try {
  if (configText === undefined) await resumeRun(options)
  else {
    const config = JSON.parse(configText) as TrainConfig
    await trainRun({ ...options, config, model: zooEntry(config.model).create(10, config.seed) })
  }
} catch (error) {
  if (!(error instanceof SternaError)) throw error
  const { code, message, hint } = error
  process.stdout.write(`${JSON.stringify({ code, message, hint })}\n`)
}
await inner.close()
