/** The engine's worker thread: answers one request after the other, in the order they arrive. */
import { parentPort, workerData } from 'node:worker_threads'
import * as ort from 'onnxruntime-node'
import { CpuState } from './cpu-state.node.ts'
import { GpuState, GpuTransfer } from './gpu-state.ts'
import { sessionOptions } from './loaded-program.ts'
import { type Answer, ProgramHost } from './program-host.ts'
import { RunGate } from './run-gate.node.ts'
import type { SessionChoice, WorkerRequest, WorkerResponse } from './worker-protocol.ts'

const port = parentPort!
const gate = new RunGate(workerData as SharedArrayBuffer)
let host: ProgramHost | undefined
let last: Promise<void> = Promise.resolve()

port.on('message', (message: WorkerRequest) => {
  last = last.then(async () => {
    try {
      const { result, transfer } = await guarded(message)
      port.postMessage({ id: message.id, result } satisfies WorkerResponse, transfer)
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error)
      port.postMessage({ id: message.id, failure } satisfies WorkerResponse)
    }
  })
})

async function guarded(message: WorkerRequest): Promise<Answer> {
  if (message.call === 'close') return { result: null }
  if (!gate.enter()) throw new Error('the engine has been closed')
  try {
    if (message.call !== 'open') return await host!.answer(message)
    host = open(message.request)
    return { result: null }
  } finally {
    gate.leave()
  }
}

function open(choice: SessionChoice): ProgramHost {
  const options = sessionOptions(choice)
  // The binding keeps no tensors on a CUDA device: there the state crosses over with every step.
  if (choice.device !== 'webgpu') return new ProgramHost(ort, options, program => new CpuState(program))
  const transfer = new GpuTransfer(ort, options)
  return new ProgramHost(ort, options, program => new GpuState(program, transfer))
}
