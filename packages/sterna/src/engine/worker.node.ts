/** The engine's worker thread: answers one request after the other, in the order they arrive. */
import { parentPort, workerData } from 'node:worker_threads'
import { CpuState } from './cpu-state.node.ts'
import { GpuState, GpuTransfer } from './gpu-state.node.ts'
import { LoadedProgram, sessionOptions } from './loaded-program.node.ts'
import type { StateFactory } from './program-state.node.ts'
import { RunGate } from './run-gate.node.ts'
import type { WorkerCalls, WorkerRequest, WorkerResponse } from './worker-protocol.ts'

const port = parentPort!
const gate = new RunGate(workerData as SharedArrayBuffer)
const programs = new Map<number, LoadedProgram>()
let options = sessionOptions({ device: 'cpu', threads: 1, spin: false })
let createState: StateFactory = program => new CpuState(program)
let last: Promise<void> = Promise.resolve()

type Answer = { readonly result: WorkerCalls[keyof WorkerCalls]['result']; readonly transfer?: ArrayBuffer[] }

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
    return await answer(message)
  } finally {
    gate.leave()
  }
}

async function answer(message: Exclude<WorkerRequest, { call: 'close' }>): Promise<Answer> {
  switch (message.call) {
    case 'open': {
      options = sessionOptions(message.request)
      if (message.request.device === 'webgpu') {
        const transfer = new GpuTransfer(options)
        createState = program => new GpuState(program, transfer)
      }
      return { result: null }
    }
    case 'load': {
      const { executable, program } = message.request
      programs.set(executable, await LoadedProgram.create(program, options, createState))
      return { result: null }
    }
    case 'setState': {
      const { state } = programOf(message.request.executable)
      for (const [name, value] of message.request.tensors) await state.set(name, value)
      return { result: null }
    }
    case 'getState': {
      const { state } = programOf(message.request.executable)
      const result: WorkerCalls['getState']['result'] = new Map()
      for (const name of message.request.names) result.set(name, await state.get(name))
      return { result, transfer: [...result.values()].map(value => value.data.buffer as ArrayBuffer) }
    }
    case 'copyState': {
      const { state } = programOf(message.request.executable)
      const from = programOf(message.request.from).state
      for (const name of message.request.names) await state.copyFrom(from, name)
      return { result: null }
    }
    case 'run': {
      const inputs = Object.values(message.request.inputs)
      const outputs = await programOf(message.request.executable).run(message.request.inputs)
      const moved = [...inputs, ...Object.values(outputs)].map(value => value.data.buffer as ArrayBuffer)
      return { result: { outputs, inputs }, transfer: moved }
    }
    case 'release': {
      const program = programOf(message.request.executable)
      programs.delete(message.request.executable)
      await program.release()
      return { result: null }
    }
    default:
      return message satisfies never
  }
}

function programOf(executable: number): LoadedProgram {
  const program = programs.get(executable)
  if (program === undefined) throw new Error('the executable has been released')
  return program
}
