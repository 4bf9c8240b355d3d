/** The functions one session needs, each made once; steps of equal geometry share theirs. */

import { assembleModule, type WasmFunction } from '../../assembler/module.ts'
import { SternaError } from '../../errors.ts'
import { compileModule } from './compile-module.ts'

export type KernelFunction = (...numbers: number[]) => void

type Emit<Options> = (name: string, options: Options) => WasmFunction

/** Told of every function that is written, and of every call before it is made. */
export interface KernelObserver {
  written(kernel: WasmFunction): void
  called(name: string, numbers: readonly number[]): void
}

export class Library {
  #functions: WasmFunction[] = []
  readonly #names = new Map<unknown, Map<string, string>>()
  #exports: WebAssembly.Exports = {}
  readonly #observer: KernelObserver | undefined

  constructor(observer?: KernelObserver) {
    this.#observer = observer
  }

  /**
   * Asks for the function that `emit` writes for these options.
   * @returns a getter for it, to be called once `instantiate` is through
   */
  request<Options>(emit: Emit<Options>, options: Options): () => KernelFunction {
    const names = this.#names.get(emit) ?? new Map<string, string>()
    this.#names.set(emit, names)
    const key = JSON.stringify([options], keepInfinity)
    const name = names.get(key) ?? `${this.#functions.length}`
    if (!names.has(key)) {
      names.set(key, name)
      const written = emit(name, options)
      this.#functions.push(written)
      this.#observer?.written(written)
    }
    return () => {
      const kernel = this.#exports[name] as KernelFunction
      const observer = this.#observer
      if (observer === undefined) return kernel
      return (...numbers) => {
        observer.called(name, numbers)
        kernel(...numbers)
      }
    }
  }

  /** Compiles what was asked for, and forgets how it was written: calls may hold on to the library. */
  async instantiate(memory: WebAssembly.Memory): Promise<void> {
    const bytes = assembleModule(this.#functions)
    this.#functions = []
    this.#names.clear()
    try {
      const module = await compileModule(bytes)
      this.#exports = new WebAssembly.Instance(module, { env: { memory } }).exports
    } catch (cause) {
      throw new SternaError('engine/unavailable', 'this host refuses to compile WebAssembly', { cause })
    }
  }
}

/** JSON would write infinite bounds as null. */
const keepInfinity = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? String(value) : value
