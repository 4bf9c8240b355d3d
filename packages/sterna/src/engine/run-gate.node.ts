/**
 * Ending a worker thread while ONNX Runtime computes in it aborts the whole process (onnxruntime-node 1.30).
 * The gate is memory that both threads see: the worker says when it is inside the library, the main thread
 * says when nothing may begin any more, and whoever ends the worker waits until it is outside.
 */
const inside = 0
const shut = 1

/** Longer than any step; then the process ends all the same. */
const longestWaitMs = 60_000

export class RunGate {
  readonly #flags: Int32Array<SharedArrayBuffer>

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.#flags = new Int32Array(memory)
  }

  get memory(): SharedArrayBuffer {
    return this.#flags.buffer
  }

  /** The worker's side. False: the gate is shut, do not begin. */
  enter(): boolean {
    Atomics.store(this.#flags, inside, 1)
    if (Atomics.load(this.#flags, shut) === 0) return true
    this.leave()
    return false
  }

  leave(): void {
    Atomics.store(this.#flags, inside, 0)
    Atomics.notify(this.#flags, inside)
  }

  /** The main thread's side. */
  shut(): void {
    Atomics.store(this.#flags, shut, 1)
  }

  /** Blocks until the worker is outside. */
  wait(): void {
    Atomics.wait(this.#flags, inside, 1, longestWaitMs)
  }
}

const openGates = new Set<RunGate>()

/** While a gate is watched, the process does not exit in the middle of a run. */
export function watchGate(gate: RunGate): void {
  if (openGates.size === 0) process.once('exit', waitForAll)
  openGates.add(gate)
}

export function unwatchGate(gate: RunGate): void {
  openGates.delete(gate)
  if (openGates.size === 0) process.off('exit', waitForAll)
}

function waitForAll(): void {
  for (const gate of openGates) gate.shut()
  for (const gate of openGates) gate.wait()
}
