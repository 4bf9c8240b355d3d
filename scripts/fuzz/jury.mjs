/** Judges files in a worker with limits of time and memory: what exceeds them is a finding as well. */
import { Worker } from 'node:worker_threads'
import { planLimits } from '../../packages/runtime/dist/index.js'

const defaults = { timeMs: 10_000, heapMegabytes: 512 }

/** One file at a time; `close` ends the worker. */
export function createJury({ timeMs, heapMegabytes } = defaults) {
  let worker
  let settle = () => {}
  const start = () => {
    const started = new Worker(new URL('./worker.mjs', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    })
    // One that was ended speaks no more for the one that follows it.
    const speak = verdict => started === worker && settle(verdict)
    started.on('message', speak)
    started.on('error', error => speak(finding('crash', String(error?.message ?? error))))
    started.on('exit', code => speak(finding('crash', `the worker ended with code ${code}`)))
    return started
  }
  const dismiss = async () => {
    const old = worker
    worker = undefined
    await old?.terminate()
  }
  const judge = async bytes => {
    worker ??= start()
    let timer
    const verdict = await new Promise(resolve => {
      settle = resolve
      timer = setTimeout(() => resolve(finding('hang', `no end within ${timeMs} ms`)), timeMs)
      worker.postMessage(bytes)
    })
    clearTimeout(timer)
    if (verdict.kind === 'hang' || verdict.kind === 'crash') await dismiss()
    const isGreedy = verdict.tookBytes > planLimits.memoryBytes + 1024 * bytes.length
    return isGreedy
      ? finding('memory', `${verdict.tookBytes} bytes held for a file of ${bytes.length}`)
      : verdict
  }
  return { judge, close: dismiss }
}

function finding(kind, message) {
  return { outcome: 'finding', kind, message }
}
